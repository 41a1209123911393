"""Replays requests that were parsed before, without routing and middleware."""
