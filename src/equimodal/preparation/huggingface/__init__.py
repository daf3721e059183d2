"""Data sets as the hub of Hugging Face and the library `datasets` store them; neither is needed to read them."""
