"""What `/metrics` says of the whole installation, asked of its database."""
