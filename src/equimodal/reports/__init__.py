"""Reports: one self-contained HTML page about a run, a comparison, a study or an analysis."""
