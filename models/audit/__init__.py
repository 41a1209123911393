"""The audit: who did what, when and from where, in a table to which rows are only added."""
