"""The repository of published models: champion pointers, versions, manifests, cards, promotion and rollback."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from kedro.io import DataCatalog, DatasetError
from pydantic import ValidationError

from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.catalog import RESOLVERS, find_project, open_catalog, open_config, store_root
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.conformal import ConformalScales
from make_us_rich.domain.errors import (
    ArtifactError,
    MakeUsRichError,
    MissingArtifactError,
    NotPublishedError,
    UnknownPairError,
)
from make_us_rich.domain.manifest import Manifest, Published
from make_us_rich.domain.model_card import ModelCard
from make_us_rich.domain.pair import Pair
from make_us_rich.locks import pair_lock
from make_us_rich.storage import missing, own_error

if TYPE_CHECKING:
    from make_us_rich.inference.champion import Champion

_REMEDY = "roll back to another version, or run the pair again"


@dataclass(frozen=True)
class ModelRepository:
    """Published models of all pairs, read from the Kedro catalog without a Kedro session. Threads may share it.

    Every read asks the store, so that a promotion by another process is seen at once, and raises ArtifactError for what
    is damaged and StorageError if the store failed. The champion pointer alone decides which version is served.

    Example:
        >>> repository = ModelRepository.open("demo")  # doctest: +SKIP
        >>> forecast = repository.model("btc_usdt").forecast(klines)  # doctest: +SKIP
    """

    catalog: DataCatalog
    pairs: tuple[str, ...] = ()
    root: str = ""
    credentials: dict[str, Any] = field(default_factory=dict, repr=False)
    calibration: dict[str, Any] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    @classmethod
    def open(cls, env: str | None = None, project_path: str | Path | None = None) -> ModelRepository:
        """Open the repository of a project.

        Args:
            env: Kedro environment, as in ``open_config``.
            project_path: Folder of the project; None to search for it.

        Raises:
            ParameterError: There is no such project or environment, or its configuration is wrong.
        """
        project = Path(project_path) if project_path else find_project()
        catalog = open_catalog(env, project)
        with RESOLVERS:
            config = open_config(env, project)
            parameters, names, credentials = config["parameters"], config["globals"], config["credentials"]
        return cls(
            catalog=catalog,
            pairs=tuple(parameters["pairs"]),
            root=store_root(names["root"], project),
            credentials=credentials.get("storage") or {},
            calibration=parameters["calibration"],
        )

    def load(self, name: str, version: str | None = None) -> Any:
        """Load a catalog entry such as ``btc_usdt.scores``; MissingArtifactError if it is not stored."""
        try:
            with self._lock:  # The catalog creates datasets on first use and is not safe against threads.
                return self.catalog.load(name, version=version)
        except DatasetError as exc:
            if own := own_error(exc):
                raise type(own)(own.message, own.remedy) from exc
            what = f"{name} {version or ''}".strip()
            if missing(exc):
                raise MissingArtifactError(f"{what}: it is not stored", _REMEDY) from exc
            raise ArtifactError(f"{what}: {' '.join(str(exc).split())}", _REMEDY) from exc

    def find(self, name: str, version: str | None = None) -> Any | None:
        """Load a dataset, or return None if it is not stored."""
        try:
            return self.load(name, version)
        except MissingArtifactError:
            return None

    def read(self, name: str) -> bytes | None:
        """The file of a dataset as it is stored, or None if it is not."""
        with self._lock:
            dataset: Any = self.catalog[name]
        with suppress(FileNotFoundError), dataset.open() as file:
            content: bytes = file.read()
            return content
        return None

    def pointer(self, pair: str) -> ChampionPointer:
        """Load the champion pointer; empty before the first promotion."""
        pointer: ChampionPointer = self.load(f"{pair}.champion")
        return pointer

    def manifest(self, pair: str, version: str | None = None) -> Manifest:
        """Load the manifest of a version; of the champion if none is given, NotPublishedError without any."""
        version = version or self.pointer(pair).require()
        return Manifest.read(self.load(f"{pair}.manifest", version), f"{pair} {version}").require(pair, version)

    def card(self, pair: str, version: str | None = None) -> ModelCard | None:
        """Load the model card of a version, as for ``manifest``; None for a version without a card."""
        version = version or self.pointer(pair).require()
        record = self.find(f"{pair}.card", version)
        try:
            return None if record is None else ModelCard.model_validate(record)
        except ValidationError as exc:
            raise ArtifactError(f"{pair} {version}: another release wrote the card", "run the pair again") from exc

    def conformal_scales(self, pair: str, version: str) -> ConformalScales | None:
        """Load the conformal scales of the champion's intervals; None if they belong to another version."""
        scales = ConformalScales.read(self.load(f"{pair}.conformal_scales"), f"{pair} {version}")
        return scales if scales and scales.version == version else None

    def published(self, pair: str, version: str) -> Published:
        """Load manifest and graphs of a version and verify their checksums."""
        return Published.read(pair, version, lambda artifact: self.load(f"{pair}.{artifact}", version))

    def model(self, pair: str, version: str | None = None, as_of: datetime | None = None) -> Champion:
        """Load a model that can forecast, verified.

        Args:
            pair: Name such as ``btc_usdt``.
            version: Any stored version; the champion if not given.
            as_of: The champion of this moment (time-zone aware) instead of today's.

        Raises:
            NotPublishedError: No version was published then.
        """
        from make_us_rich.domain.scenarios import ScenarioRanks
        from make_us_rich.inference.champion import Champion  # onnxruntime: 0.4 s
        from make_us_rich.inference.past import PastRecord

        version = version or self.pointer(pair).require(as_of)
        found = self.published(pair, version)
        name, scales = f"{pair} {version}", self.conformal_scales(pair, version)
        past = PastRecord.from_bytes(found.past_forecasts, name) if found.past_forecasts else None
        if past:  # Whoever serves needs only the quantiles, and holds them for every pair.
            past = PastRecord(past.opens, {}, past.quantiles)
        ranks = ScenarioRanks.from_bytes(found.scenario_ranks, name) if found.scenario_ranks else None
        return Champion(found.manifest, found.onnx_model, scales, found.baseline_onnx, past, ranks)

    def roll_back(self, pair: str, version: str | None = None) -> ChampionPointer:
        """Make an earlier version the champion again; the previous champion if no version is given.

        The version is loaded and verified before, and its conformal scales are measured anew; where that is not
        possible, the promotion's reason says why. Rolling back to the version that is served changes nothing.

        Raises:
            ArtifactError: The version is missing or damaged, or the gate refused it; the champion does not change.
            LockedError: A run holds the pair.
            NotPublishedError: There is no earlier champion.
            UnknownPairError: The pair is not configured.
        """
        self.require_configured(pair)
        with pair_lock(self.root, pair, self.credentials) as held:
            pointer = self.pointer(pair)
            previous = [each.version for each in pointer.promotions if each.version != pointer.version]
            if not version and not previous:
                message = f"{pair}: there is no earlier champion to go back to"
                raise NotPublishedError(message, "name a version with --to")
            version = version or previous[-1]
            if version == pointer.version:
                return pointer
            model = self.model(pair, version)
            verdict = model.manifest.verdict
            if not verdict.publish:
                raise ArtifactError(f"{pair} {version} may not be served: {verdict.reason}", "choose another version")
            scales, problem = self._measure_scales(pair, model)
            held.check()
            reason = f"rolled back from {pointer.version}" + (f"; not calibrated yet: {problem}" if problem else "")
            promoted = pointer.promote(version, datetime.now(UTC), reason, rolled_back=True)
            self.catalog.save(f"{pair}.champion", promoted)
            if scales:
                self.catalog.save(f"{pair}.conformal_scales", scales.model_dump(mode="json"))
            return promoted

    def _measure_scales(self, pair: str, model: Champion) -> tuple[ConformalScales | None, str]:
        """Measure a model's conformal scales by its past forecasts and the stored candles; or why they are all 1."""
        from make_us_rich.inference.past import PastRecord, measure_scales

        rules, version = CalibrationParameters.model_validate(self.calibration), model.manifest.version
        try:
            stored = self.find(f"{pair}.past_forecasts", version)
            past = PastRecord.from_bytes(stored, f"{pair} {version}") if stored else None
            scales = measure_scales(model, self.load(f"{pair}.klines"), rules, past)
        except MakeUsRichError as exc:
            return None, exc.message
        few = scales.forecasts < rules.min_forecasts
        return scales, f"{scales.forecasts} past forecasts, {rules.min_forecasts} are needed" if few else ""

    def require_configured(self, pair: str) -> None:
        """Raise UnknownPairError for a pair that is misspelt or not configured."""
        if Pair.parse(pair).name not in self.pairs:
            raise UnknownPairError(f"{pair}: not among the configured pairs: {', '.join(self.pairs)}")
