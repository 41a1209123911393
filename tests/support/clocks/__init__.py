"""Clocks of gateways that tests move."""
