"""Proxies in front of gateways, real ones."""
