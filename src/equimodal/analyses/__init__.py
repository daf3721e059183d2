"""Analyses of the method: each makes the methods of a study, and reads their finished runs."""
