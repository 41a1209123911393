"""Proxies and networks before a store."""
