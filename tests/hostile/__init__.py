"""Hostile input: the corpora for REST and GraphQL."""
