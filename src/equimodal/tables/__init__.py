"""A table as a value, the forms it is written in (text, Markdown, LaTeX, CSV), and numbers in words."""
