"""Statistics: curves, fits and tests of hypotheses."""
