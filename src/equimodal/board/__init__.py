"""A live view of a folder of runs: what trains, how far it is, and what came of it so far."""
