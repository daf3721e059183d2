"""Analyses of the method: studies whose methods are made here, and what is read from their finished runs."""
