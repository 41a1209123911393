"""The root fields (queries, mutations, subscriptions) and the schema that is made of them."""
