"""A Vanguard application's data: its tables on SQLite and PostgreSQL, and as JSON lines."""
