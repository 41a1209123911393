"""The GraphQL API, over HTTP, server-sent events and WebSocket; it calls the same service as the REST API."""
