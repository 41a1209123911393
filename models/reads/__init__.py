"""The reads that requests wait for: statements written once and shared."""
