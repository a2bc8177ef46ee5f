"""Who works here: people and their roles, log-in, and the tokens that the desk hands to the push server."""
