"""Planning: what a size takes, and how far it has come."""
