"""The champions of all pairs: swapped at once, and the last good one of a pair kept."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from types import MappingProxyType

from kedro.io import DataCatalog

from make_us_rich.catalog import load_pointer
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError, MakeUsRichError, StorageError
from make_us_rich.domain.run import utc_now
from make_us_rich.inference.champion import Champion
from serving.store.records import load_widths
from serving.store.served import Served, load_served

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shelf:
    """What is served at one moment; it never changes, another takes its place.

    Attributes:
        served: By pair.
        problems: By pair, in words: why its newest champion is not the one that is served.
        as_of: The moment whose champions are served; None for now.
        checked_at: When the store last answered for every pair, UTC; None before the first time.
    """

    served: Mapping[str, Served] = field(default_factory=lambda: MappingProxyType({}))
    problems: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    as_of: datetime | None = None
    checked_at: datetime | None = None


def _accept(champion: Champion) -> None:
    """Nothing to try it on."""


class ModelsStore:
    """Champions by pair. Reading takes no lock; one thread at a time asks the store.

    Args:
        catalog: Opened once.
        pairs: The configured pairs.
        clock: The time of day, UTC.
        try_out: Raises ArtifactError for a champion that cannot forecast.

    Attributes:
        pairs: The configured pairs.
    """

    def __init__(
        self,
        catalog: DataCatalog,
        pairs: Sequence[str],
        clock: Callable[[], datetime] = utc_now,
        try_out: Callable[[Champion], None] = _accept,
    ) -> None:
        self.pairs = tuple(pairs)
        self._catalog = catalog
        self._clock = clock
        self._try_out = try_out
        self._lock = Lock()
        self._shelf = Shelf()

    @property
    def shelf(self) -> Shelf:
        """What is served now."""
        return self._shelf

    def get(self, pair: str) -> Served | None:
        """The pair's champion, or None."""
        return self._shelf.served.get(pair)

    def pointer(self, pair: str) -> ChampionPointer:
        """The pair's champions so far, as the store has them now.

        Raises:
            ArtifactError: The pointer is damaged.
            StorageError: The store failed.
        """
        return load_pointer(self._catalog, pair)

    def refresh(self) -> None:
        """Ask the store for new champions and new widths; what has not changed is not read again."""
        with self._lock:
            try:
                self._put(self._look(self._shelf.as_of))
            except StorageError as exc:
                self._put(replace(self._shelf, problems=MappingProxyType(dict.fromkeys(self.pairs, str(exc)))))

    def reload(self) -> Shelf:
        """Read every champion again, whether it has changed or not.

        Raises:
            StorageError: The store failed; nothing has changed.
        """
        with self._lock:
            self._put(self._look(self._shelf.as_of, afresh=True))
            return self._shelf

    def serve_as_of(self, moment: datetime | None) -> Shelf:
        """Serve the champions of a moment, or of now where it is None.

        Raises:
            ArtifactError: No pair had a champion then that is whole; nothing has changed.
            StorageError: The store failed; nothing has changed.
        """
        with self._lock:
            shelf = self._look(moment)
            if shelf.problems.keys() >= set(self.pairs):
                raise ArtifactError("; ".join(shelf.problems.values()))
            self._put(shelf)
            return shelf

    def _put(self, shelf: Shelf) -> None:
        before, self._shelf = self._shelf, shelf
        _tell(before, shelf)

    def _look(self, as_of: datetime | None, *, afresh: bool = False) -> Shelf:
        served, problems = dict(self._shelf.served), {}
        for pair in self.pairs:
            try:
                served[pair] = self._champion(pair, as_of, afresh=afresh)
            except StorageError:
                raise
            except _NoneThenError as exc:
                served.pop(pair, None)
                problems[pair] = str(exc)
            except MakeUsRichError as exc:
                problems[pair] = str(exc)
            except Exception as exc:
                # A damaged artifact may fail in ways nobody has met; the other pairs are not to suffer.
                log.exception("%s: its champion cannot be read", pair)
                problems[pair] = f"{pair}: its champion cannot be read ({type(exc).__name__}); run the pair again"
        return Shelf(MappingProxyType(served), MappingProxyType(problems), as_of, self._clock())

    def _champion(self, pair: str, as_of: datetime | None, *, afresh: bool) -> Served:
        pointer = load_pointer(self._catalog, pair)
        version = _published(pointer, as_of)
        current = self.get(pair)
        if current and not afresh and self._is_current(current, version):
            return replace(current, promotions=pointer.promotions)
        served = load_served(self._catalog, pointer, version, self._clock())
        self._try_out(served.champion)
        return served

    def _is_current(self, current: Served, version: str) -> bool:
        if current.version != version:
            return False
        return current.champion.widths == load_widths(self._catalog, current.manifest.pair, version)


class _NoneThenError(ArtifactError):
    """The pair had no champion at a past moment: showing today's instead would be no honest answer."""


def _published(pointer: ChampionPointer, as_of: datetime | None) -> str:
    version = pointer.version if as_of is None else pointer.as_of(as_of)
    if version:
        return version
    if as_of is None:
        raise ArtifactError(f"{pointer.pair}: no model is published; run the pair: kedro run --pipeline={pointer.pair}")
    raise _NoneThenError(f"{pointer.pair}: no model was published at {as_of:%Y-%m-%d %H:%M} UTC; choose a later date")


def _tell(before: Shelf, now: Shelf) -> None:
    """Log what has changed, once."""
    for pair, served in now.served.items():
        old = before.served.get(pair)
        if old is None or old.version != served.version:
            log.info("%s: serving %s (%s)", pair, served.version, served.manifest.architecture)
    for pair, problem in now.problems.items():
        if before.problems.get(pair) != problem:
            kept = now.served.get(pair)
            log.warning("%s; still serving %s", problem, kept.version if kept else "nothing")
