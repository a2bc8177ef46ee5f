"""Owns the codes with which the server ends a connection, beside those that WebSocket has itself."""

TOO_SLOW = 1013
"""The client read too slowly for too long; connect again for a fresh snapshot."""
BAD_MESSAGES = 4400
"""Too many messages that could not be understood."""
BAD_TOKEN = 4401
"""The token is not ours, has expired or was used before; fetch a new one."""
NO_TOKEN = 4408
"""No token came in time."""
REPLACED = 4409
"""Another connection goes on with this session."""
