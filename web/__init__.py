"""HTTP without a word of backups: server, fast path, cache, authentication, limits, middleware; imports `models`."""
