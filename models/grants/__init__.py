"""Grants: access of a backup job to objects of a destination, without its keys."""
