"""The types of the GraphQL schema: objects, inputs, enums, results."""
