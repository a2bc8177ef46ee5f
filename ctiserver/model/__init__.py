"""The pure core: what the floor is, how each event changes it, and what must be done about it. No clock,
no I/O.
"""
