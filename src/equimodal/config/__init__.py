"""What a configuration may say.

Only its form is checked here. Whether a method, an encoder or a fusion exists is checked where a run is set up, with
the names in `equimodal.training.names`.
"""
