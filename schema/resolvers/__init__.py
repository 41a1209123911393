"""The fields at the roots: queries, mutations, subscriptions, and the schema made of them."""
