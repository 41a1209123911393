"""The databases that a takeover reads: SQLite, PostgreSQL, and for MySQL a folder of JSON lines."""
