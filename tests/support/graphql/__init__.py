"""GraphQL documents and clients."""
