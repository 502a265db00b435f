"""Pages: captions, the report's first page and the explorer."""
