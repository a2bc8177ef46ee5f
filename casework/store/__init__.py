"""The cases in the database."""
