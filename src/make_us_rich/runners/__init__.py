"""Runners that give each pair a run of its own: side by side on this machine, or on a Dask cluster."""

from make_us_rich.runners.dask_runner import DaskRunner
from make_us_rich.runners.processes_runner import ProcessesRunner

__all__ = ["DaskRunner", "ProcessesRunner"]
