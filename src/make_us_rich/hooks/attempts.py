"""When runs of the monitoring began and how they ended: what explains an hour without a forecast."""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from make_us_rich.domain.attempt import Attempt, attempts_record, read_attempts
from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.domain.run import utc_now
from make_us_rich.hooks.run_checks import pairs_of
from make_us_rich.runners.fan_out import fans_out
from make_us_rich.storage import explain

log = logging.getLogger(__name__)


class AttemptHooks:
    """Notes runs of the monitoring, those that are refused among them, in ``{pair}.attempts``.

    Args:
        clock: The time of day, UTC.
    """

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._began: datetime | None = None
        self._pairs: tuple[str, ...] = ()

    @hook_impl(wrapper=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> Generator[None]:
        """Note the beginning; and the end, where another hook refuses the run: Kedro tells nobody of that."""
        # Where each pair has a run of its own, that one notes it.
        self._pairs = () if fans_out(run_params) else tuple(monitored(pipeline))
        self._began = self._clock()
        self._note(catalog, Attempt(began=self._began))
        try:
            return (yield)
        except Exception as exc:
            self._end(catalog, exc)
            raise

    @hook_impl
    def after_pipeline_run(self, catalog: DataCatalog) -> None:
        """Note the end."""
        self._end(catalog, None)

    @hook_impl
    def on_pipeline_error(self, error: Exception, catalog: DataCatalog) -> None:
        """Note the end, and why."""
        self._end(catalog, error)

    def _end(self, catalog: DataCatalog, error: Exception | None) -> None:
        if self._began is None:
            return
        told = None if error is None else explain(error) or f"{type(error).__name__}: {error}"[:500]
        self._note(catalog, Attempt(began=self._began, ended=self._clock(), error=told))
        self._began = None

    def _note(self, catalog: DataCatalog, attempt: Attempt) -> None:
        for pair in self._pairs:
            name = f"{pair}.attempts"
            with _told(name):
                known = read_attempts(catalog.load(name), pair)
                others = tuple(each for each in known if each.began != attempt.began)
                catalog.save(name, attempts_record((*others, attempt)))


@contextmanager
def _told(name: str) -> Iterator[None]:
    """A note that cannot be written is no reason to end a run; the store's own check tells what is wrong with it."""
    try:
        yield
    except Exception as exc:
        line = explain(exc)
        if line is None and not isinstance(exc, MakeUsRichError):
            raise
        log.warning("%s: not noted: %s", name, line)


def monitored(pipeline: Pipeline) -> list[str]:
    """The pairs whose monitoring a pipeline runs."""
    part = [node for node in pipeline.nodes if node.namespace and node.namespace.endswith(".monitoring")]
    return [pair.name for pair in pairs_of(Pipeline(part))]
