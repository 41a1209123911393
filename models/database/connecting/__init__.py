"""How a connection to PostgreSQL begins: to which of several servers, and through which pooler."""
