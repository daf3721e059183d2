"""Tables as values, the forms that they are written in, and numbers in words."""
