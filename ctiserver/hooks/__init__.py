"""Webhooks: what happened, sent to integrators and the emergency centre, signed and retried, off the
real-time path.
"""
