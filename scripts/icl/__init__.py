"""icl: the library behind icl-race. Importing it loads nothing heavy (the Snakefile does so)."""
