"""What runners have in common that give each pair a run of its own."""

import logging
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, NoReturn

import click
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.runner import AbstractRunner

from make_us_rich.domain.errors import ParameterError
from make_us_rich.runners.outcome import Outcome, refuse_failures, tabulate
from make_us_rich.runners.pair_run import PairRun
from make_us_rich.runners.parameters import RunningParameters

log = logging.getLogger(__name__)

ASKED = "pair_runs"
"""Dataset of the runs that are asked for, put into the catalog before the pipeline runs."""


class FanOutRunner(AbstractRunner):
    """Runs each pair of a pipeline as a run of its own, in one process: with a lock, a version and an MLflow run.

    The run that it belongs to holds no pair, publishes nothing and is not recorded: it only watches.
    """

    @abstractmethod
    def outcomes(self, runs: Sequence[PairRun], running: RunningParameters) -> Iterator[Outcome]:
        """Run the pairs; how each has ended, as soon as it has."""

    def run(self, pipeline: Pipeline, catalog: DataCatalog, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # noqa: ARG002
        """Run every pair.

        Returns:
            Nothing: all that a pair makes is in the catalog.

        Raises:
            PairsFailedError: Some pairs failed; told after all have ended.
        """
        runs: list[PairRun] = catalog.load(ASKED)
        running = RunningParameters.model_validate(catalog.load("params:running"))
        ended = list(_told(self.outcomes(runs, running), len(runs)))
        click.echo(tabulate(ended))
        refuse_failures(ended)
        return {}

    def _get_executor(self, max_workers: int) -> Executor | None:  # noqa: ARG002
        """Kedro's loop over nodes is not used."""
        self._refuse()

    def _run(self, pipeline: Pipeline, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Kedro's loop over nodes is not used."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        name = type(self).__name__
        raise ParameterError(f"{name} runs whole pairs and no single nodes; take --runner=SequentialRunner for those")


def _told(outcomes: Iterable[Outcome], count: int) -> Iterator[Outcome]:
    started = time.monotonic()
    for number, outcome in enumerate(outcomes, 1):
        left = (time.monotonic() - started) / number * (count - number)
        log.log(
            logging.ERROR if outcome.failed else logging.INFO,
            "%d/%d %s%s",
            number,
            count,
            outcome.line,
            f", about {left:.0f} s left" if left >= 1 else "",
        )
        yield outcome


def fans_out(run_params: Mapping[str, Any]) -> bool:
    """The session's runner gives each pair a run of its own. Kedro tells hooks of a runner only how it prints."""
    names = (kind.__name__ for kind in FanOutRunner.__subclasses__())
    return any(f".{name} object" in str(run_params.get("runner")) for name in names)
