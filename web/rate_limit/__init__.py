"""Counts requests in fixed windows, in memory or in Redis."""
