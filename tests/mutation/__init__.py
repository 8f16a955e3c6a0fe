"""Mutants of the SQL and the tests that must kill them."""
