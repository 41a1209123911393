"""The room of the GraphQL door; it calls the same service as the REST door."""
