"""Requests to stores that are signed for others to send."""
