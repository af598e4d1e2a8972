"""The champions of all pairs in memory: replaced at once, and the last good one of a pair is kept."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any

from make_us_rich.domain.champion import Promotion
from make_us_rich.domain.errors import ArtifactError, MakeUsRichError, StorageError
from make_us_rich.domain.manifest import Manifest
from make_us_rich.domain.run import utc_now
from make_us_rich.inference.champion import Champion
from make_us_rich.repository import ModelRepository

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedModel:
    """A verified champion, with its model card where there is one that this release reads."""

    champion: Champion
    card: dict[str, Any] | None
    promotions: tuple[Promotion, ...]
    """Champions of the pair so far, oldest first."""
    loaded_at: datetime

    @property
    def manifest(self) -> Manifest:
        """Manifest of the version."""
        return self.champion.manifest


@dataclass(frozen=True)
class ModelSnapshot:
    """What is served at one moment, by pair; replaced and never changed, so that readers need no lock."""

    models: Mapping[str, ServedModel] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    """Why a pair's newest champion is not the one that is served."""
    as_of: datetime | None = None
    """The date whose champions are served; None for the current ones."""


class ModelCache:
    """Champions by pair that pass ``check``. Reading takes no lock; one thread at a time reads the store."""

    def __init__(self, repository: ModelRepository, check: Callable[[Champion], None] = lambda _: None) -> None:
        self.snapshot = ModelSnapshot()
        """What is served now."""
        self._repository = repository
        self._check = check
        self._lock = Lock()

    def get(self, pair: str) -> ServedModel | None:
        """The champion of a pair, or None."""
        return self.snapshot.models.get(pair)

    def refresh(self) -> None:
        """Load new champions and new conformal scales; what has not changed is not loaded again."""
        with self._lock:
            try:
                self._replace(self._load_all(self.snapshot.as_of))
            except StorageError as exc:
                problems = dict.fromkeys(self._repository.pairs, str(exc))
                self._replace(replace(self.snapshot, problems=problems))

    def reload(self) -> ModelSnapshot:
        """Load all champions again; StorageError if the store fails, and nothing changes."""
        with self._lock:
            self._replace(self._load_all(self.snapshot.as_of, reload=True))
            return self.snapshot

    def serve_as_of(self, moment: datetime | None) -> ModelSnapshot:
        """Serve the champions of a moment, or the current ones for None; ArtifactError if no pair had one then."""
        with self._lock:
            snapshot = self._load_all(moment)
            if snapshot.problems.keys() >= set(self._repository.pairs):
                problems = "; ".join(each.partition("; ")[0] for each in snapshot.problems.values())
                raise ArtifactError(problems, "choose a later date")
            self._replace(snapshot)
            return snapshot

    def _load_all(self, as_of: datetime | None, *, reload: bool = False) -> ModelSnapshot:
        # The champion of another date would be the wrong answer.
        models = dict(self.snapshot.models) if as_of == self.snapshot.as_of else {}
        problems = {}
        for pair in self._repository.pairs:
            try:
                models[pair] = self._load(pair, as_of, reload=reload)
            except StorageError:
                raise
            except MakeUsRichError as exc:
                problems[pair] = str(exc)
            except Exception as exc:
                # A damaged artifact may fail in unknown ways; other pairs must not suffer.
                log.exception("%s: the champion cannot be read", pair)
                problems[pair] = f"{pair}: the champion cannot be read ({type(exc).__name__}); run the pair again"
        return ModelSnapshot(models, problems, as_of)

    def _load(self, pair: str, as_of: datetime | None, *, reload: bool) -> ServedModel:
        pointer = self._repository.pointer(pair)
        version, current = pointer.require(as_of), self.get(pair)
        if current and not reload and current.manifest.version == version:
            scales = self._repository.conformal_scales(pair, version)
            if current.champion.scales == scales:
                return replace(current, promotions=pointer.promotions)
        champion = self._repository.model(pair, version)
        self._check(champion)
        card: dict[str, Any] | None = None
        try:
            if found := self._repository.card(pair, version):
                card = found.model_dump(mode="json")
        except ArtifactError as exc:  # The model works without its card.
            log.warning("%s", exc)
        return ServedModel(champion, card, pointer.promotions, utc_now())

    def _replace(self, new: ModelSnapshot) -> None:
        """Serve a snapshot, and log what has changed."""
        old, self.snapshot = self.snapshot, new
        for pair, model in new.models.items():
            before = old.models.get(pair)
            if before is None or before.manifest.version != model.manifest.version:
                log.info("%s: serving %s (%s)", pair, model.manifest.version, model.manifest.architecture)
        for pair, problem in new.problems.items():
            if old.problems.get(pair) != problem:
                retained = new.models.get(pair)
                log.warning("%s; still serving %s", problem, retained.manifest.version if retained else "nothing")
