"""Files: artifacts that prove themselves whole, where they come from, and archives of them."""
