"""Pairs side by side on this machine."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from make_us_rich.runners.fan_out import FanOutRunner
from make_us_rich.runners.outcome import Outcome
from make_us_rich.runners.pair_run import PairRun
from make_us_rich.runners.parameters import RunningParameters
from make_us_rich.runners.warm_process import WarmProcess


class ProcessesRunner(FanOutRunner):
    """A process a pair, as many at once as there are cores; what ``kedro run --pipeline=all`` takes.

    Example:
        ``kedro run --pipeline=all --params=running.workers=4``
    """

    def outcomes(self, runs: Sequence[PairRun], running: RunningParameters) -> Iterator[Outcome]:
        """Run the pairs; when this is left early, whatever runs is ended first."""
        workers = min(running.workers or len(os.sched_getaffinity(0)), len(runs))
        first = runs[0]
        with ThreadPoolExecutor(workers) as lanes, WarmProcess(Path(first.project), networks=first.networks) as warm:
            for lane in as_completed([lanes.submit(warm.run, run) for run in runs]):
                yield lane.result()
