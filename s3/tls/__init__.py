"""Which certificates of a store are trusted, and why one is not."""
