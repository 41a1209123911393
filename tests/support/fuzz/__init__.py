"""Random requests, queries and mutations."""
