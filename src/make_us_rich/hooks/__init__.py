"""Kedro hooks: checks and locks before a run, the record of runs, and what MLflow records."""
