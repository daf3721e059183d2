"""Public data sets: one file each, which knows how the download lies on disk."""
