"""The task: random streams, datasets and sequences. For letters in shapes, see `icl.kernels`."""
