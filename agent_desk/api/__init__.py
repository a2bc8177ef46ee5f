"""The REST API for other systems: thin over casework, each operation declared once."""
