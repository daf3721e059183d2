"""Built-in data sets, one file each; adding one is adding a file here and its `.npz` under `files/`."""
