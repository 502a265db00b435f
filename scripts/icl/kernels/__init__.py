"""Loops that numba compiles for the CPU: the task's draws, attention, what lies between products.

Letters in shapes, here and in `task`, `models` and `engine`:

| letter | counts |
|---|---|
| R | replicates, one for each seed |
| B | sequences of a batch |
| N | context length |
| K | items |
| D | components of an item |
| E | components of a token, D + 2 |
| P | width of a table's row: D + 1 numbers, then zeros up to whole vectors |
| d | width of a hidden layer |
"""
