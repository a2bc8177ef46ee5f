"""The CTI server's published language: states, commands, pushes and history, as typed values without I/O.

Every other room (desk, IVR, rehearsal) may import this package and `ctiserver.client`, and nothing else of
ctiserver.
"""
