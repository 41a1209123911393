"""Moves the data of an installation: into a backup, back from one, and from the embedded database to PostgreSQL."""
