"""Backup destinations: their attributes and kinds, the rules for them, the table and its rows."""
