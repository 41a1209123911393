"""Checks of destinations: reports, leases, which are due, and the service that runs them."""
