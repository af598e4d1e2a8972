"""A simulated month of the hourly job, with all that can go wrong: ``python -m benchmarks.month``."""
