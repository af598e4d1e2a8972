"""How the last hourly runs ended, as the job that makes them has written it."""

from collections.abc import Sequence
from dataclasses import dataclass

from kedro.io import DataCatalog

from make_us_rich.domain.errors import ArtifactError
from make_us_rich.hourly.runs import Run, read_runs
from serving.store.records import load_record


@dataclass(frozen=True)
class Ended:
    """Runs of all pairs.

    Attributes:
        runs: The newest first.
        problems: Of pairs whose record is damaged; those of the others are there all the same.
    """

    runs: list[Run]
    problems: list[str]


class Runs:
    """The runs of the configured pairs; read anew each time, since only admins ask.

    Args:
        catalog: Opened once.
        pairs: The configured pairs.
    """

    def __init__(self, catalog: DataCatalog, pairs: Sequence[str]) -> None:
        self._catalog = catalog
        self._pairs = tuple(pairs)

    def newest(self, most: int) -> Ended:
        """The last runs of all pairs together. Takes a moment.

        Raises:
            StorageError: The store failed.
        """
        runs: list[Run] = []
        problems: list[str] = []
        for pair in self._pairs:
            try:
                runs += read_runs(load_record(self._catalog, f"{pair}.runs"), pair)
            except ArtifactError as exc:
                problems.append(str(exc))
        return Ended(sorted(runs, key=lambda run: run.ended, reverse=True)[:most], problems)
