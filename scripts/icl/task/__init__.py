"""The task: random streams, datasets and sequences."""
