"""Kedro runners that run each pair as a run of its own: in processes of this machine, or on a Dask cluster."""

from make_us_rich.runners.dask_runner import DaskRunner
from make_us_rich.runners.fan_out import ProcessesRunner

__all__ = ["DaskRunner", "ProcessesRunner"]
