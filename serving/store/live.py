"""What the hourly monitoring has written of the forecasts that were served."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from types import MappingProxyType

import numpy as np
from kedro.io import DataCatalog
from numpy.typing import NDArray

from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.domain.live import LiveRecent, LiveScores
from serving.store.records import load_record

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
"""The record changes once an hour; asking more often would only cost the store's time."""


@dataclass(frozen=True)
class Recorded:
    """One pair's forecasts of the last days, as they were served.

    Attributes:
        at: When they were written, by the exchange's clock, UTC.
        issued_at: Oldest first, UTC.
        versions: Of the models that issued them.
        last_closes: Quote currency, ``[forecast]``.
        levels: Of the quantiles, ascending.
        quantiles: Prices in quote currency, ``[forecast, horizon, level]``.
        closes: What came, in quote currency, by the moment at which it closed, UTC.
    """

    at: datetime
    issued_at: tuple[datetime, ...]
    versions: tuple[str, ...]
    last_closes: NDArray[np.float64]
    levels: tuple[float, ...]
    quantiles: NDArray[np.float64]
    closes: Mapping[datetime, float]


class Live:
    """Scores and recent forecasts by pair. Reading scores takes no lock.

    Args:
        catalog: Opened once.
        pairs: The configured pairs.
        monotonic: Seconds that never run backwards.
    """

    def __init__(
        self, catalog: DataCatalog, pairs: Sequence[str], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._catalog = catalog
        self._pairs = tuple(pairs)
        self._monotonic = monotonic
        self._lock = Lock()
        self._next = 0.0
        self._scores: Mapping[str, LiveScores] = MappingProxyType({})
        self._recorded: dict[str, Recorded] = {}
        self._told: dict[str, str] = {}

    @property
    def scores(self) -> Mapping[str, LiveScores]:
        """By pair, those that the monitoring has written."""
        return self._scores

    def refresh(self) -> None:
        """Ask the store for new scores, at most once a minute; where it fails, the last ones stay."""
        if self._monotonic() < self._next:
            return
        self._next = self._monotonic() + EVERY_SECONDS
        found = {pair: self._read_scores(pair) for pair in self._pairs}
        self._scores = MappingProxyType({pair: scores for pair, scores in found.items() if scores})

    def recorded(self, pair: str) -> Recorded | None:
        """The recent forecasts, read where there are newer ones; None without any. Takes a moment."""
        scores = self._scores.get(pair)
        if scores is None or not scores.issued:
            return None
        with self._lock:
            known = self._recorded.get(pair)
            if known is None or known.at != scores.at:
                self._read_recent(pair, scores.at)
            return self._recorded.get(pair)

    def _read_scores(self, pair: str) -> LiveScores | None:
        name = f"{pair}.live_scores"
        try:
            scores = LiveScores.read(load_record(self._catalog, name), pair)
        except MakeUsRichError as exc:
            self._tell(name, str(exc))
            return self._scores.get(pair)
        self._told.pop(name, None)
        return scores

    def _read_recent(self, pair: str, at: datetime) -> None:
        name = f"{pair}.live_recent"
        try:
            recent = LiveRecent.read(load_record(self._catalog, name), pair)
        except MakeUsRichError as exc:
            self._tell(name, str(exc))
            return
        self._told.pop(name, None)
        if recent is not None and recent.forecasts:
            self._recorded[pair] = _compact(recent, at)

    def _tell(self, name: str, problem: str) -> None:
        if self._told.get(name) != problem:
            log.warning("%s; keeping what was read before", problem)
        self._told[name] = problem


def _compact(recent: LiveRecent, at: datetime) -> Recorded:
    """As arrays: a quarter of the memory."""
    made = recent.forecasts
    return Recorded(
        at=at,
        issued_at=tuple(each.issued_at for each in made),
        versions=tuple(each.version for each in made),
        last_closes=np.array([each.last_close for each in made]),
        levels=recent.levels,
        quantiles=np.array([each.quantiles for each in made]),
        closes=recent.closes,
    )
