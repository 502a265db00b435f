"""The engine: trains the replicates of a job, evaluates them, and survives interruptions."""
