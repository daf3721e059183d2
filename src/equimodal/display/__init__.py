"""Charts as plain data, their drawing as SVG, and HTML pages from templates. Knows no run and no comparison."""
