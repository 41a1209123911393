"""The writes of destinations, each with its event in one transaction."""
