"""The database: one engine for SQLite and PostgreSQL, and the schema's history."""
