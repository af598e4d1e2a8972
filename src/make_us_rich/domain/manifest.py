"""The manifest: what a published model is, how good it was, and how to check its artifacts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError

from make_us_rich.domain.errors import ArtifactError, first_problem
from make_us_rich.domain.forecast import TARGETS
from make_us_rich.domain.frozen import FrozenModel

CONTRACT = 2
"""Version of the ONNX contract in docs/models.md; models of the first one, with closes alone, are still served."""

ARTIFACTS = {
    "onnx_model": "the ONNX model",
    "baseline_onnx": "the baseline's ONNX model",
    "past_forecasts": "its past forecasts",
    "scenario_ranks": "the ranks of its scenarios",
}
"""What a version consists of beside its manifest, and what messages call it."""


def sha256(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def verify(data: bytes, checksum: str, name: str) -> None:
    """Compare bytes with the checksum that they should have.

    Raises:
        ArtifactError: They differ.
    """
    if sha256(data) != checksum:
        raise ArtifactError(f"{name}: its checksum is not the one in its manifest", "train the pair again or roll back")


class Verdict(FrozenModel):
    """Whether a model may be served, and why, in words."""

    publish: bool
    reason: str


NO_EDGE = Verdict(publish=False, reason="no edge: the point forecast is the last close")
"""Of a model whose median is shown as the last close."""


class DataRange(FrozenModel):
    """The candles a model has seen: open times (UTC) of the first and last one, and their number."""

    start: datetime
    end: datetime
    rows: int
    simulated: bool = False
    """They come from a simulated market."""


class Reads(FrozenModel):
    """What a graph takes: ``lookback`` rows of these ``columns``, in this order, of a feature set."""

    feature_set: str
    columns: tuple[str, ...]
    lookback: int


class Candidate(FrozenModel):
    """A converted model that has been evaluated and not been published yet.

    Attributes:
        pair: Name such as ``btc_usdt``.
        architecture: Name in the registry.
        feature_set: Name of the feature set, computed by the same function for training and serving.
        columns: The features in the order of the ONNX input's last axis.
        lookback: Candles a model sees.
        horizon: Hours ahead, 1 to this.
        levels: Quantile levels, ascending.
        data: Candles the model was made from.
        metrics: Scores on the folds, the baseline's beside them.
        parity: Largest difference between the ONNX graph and the fitted model: ``price`` in quote currency,
            ``output`` in log return.
        scaler: Fingerprint of the scaler that the graph holds, see ``scaler_fingerprint``.
        checksums: SHA-256 by artifact, hexadecimal: those of ``ARTIFACTS``, and ``scaler`` once it is published.
        verdict: Whether it may be served.
        recipe: Hyperparameters by architecture, one for each member of a combination; empty before release 0.2.
        trained_until: Open time of the last candle that the fit has seen, UTC.
        edge: Whether the median may be shown instead of the last close.
        baseline: What the baseline's graph, stored beside the model's, takes; None before release 0.2.
    """

    pair: str
    architecture: str
    feature_set: str
    columns: tuple[str, ...]
    lookback: int
    horizon: int
    levels: tuple[float, ...]
    data: DataRange
    metrics: dict[str, float]
    parity: dict[str, float]
    scaler: str
    checksums: dict[str, str]
    verdict: Verdict
    recipe: dict[str, dict[str, Any]] = Field(default={})
    trained_until: datetime | None = None
    edge: Verdict = NO_EDGE
    baseline: Reads | None = None

    @property
    def simulated(self) -> bool:
        """Whether the model was trained on a simulated market."""
        return self.data.simulated

    @property
    def reads(self) -> Reads:
        """What the model's own graph takes."""
        return Reads(feature_set=self.feature_set, columns=self.columns, lookback=self.lookback)


class Manifest(Candidate):
    """What is written after the artifacts of one run, under the same version.

    Attributes:
        contract: Version of the ONNX contract.
        version: Shared by scaler, ONNX and manifest of one run.
        packages: Versions of the packages that made it.
        git_revision: Commit of the code, or ``unknown``.
    """

    contract: int = CONTRACT
    version: str
    packages: dict[str, str]
    git_revision: str

    @property
    def targets(self) -> tuple[str, ...]:
        """What the model forecasts: closes alone by the first contract."""
        return TARGETS[:1] if self.contract == 1 else TARGETS

    def require(self, pair: str, version: str) -> Manifest:
        """This manifest, if it belongs to the pair and version.

        Raises:
            ArtifactError: It belongs to another one.
        """
        if (self.pair, self.version) != (pair, version):
            raise ArtifactError(
                f"{pair} {version}: the manifest is that of {self.pair} {self.version}",
                "roll back to another version, or run the pair again",
            )
        return self

    def verify(self, artifact: str, content: bytes) -> None:
        """Compare an artifact with its checksum.

        Raises:
            ArtifactError: They differ.
        """
        verify(content, self.checksums.get(artifact, ""), f"{self.pair} {self.version}: {ARTIFACTS[artifact]}")

    @classmethod
    def read(cls, record: Any, name: str) -> Manifest:
        """Check a record from the store.

        Raises:
            ArtifactError: It is no manifest, or one of another contract.
        """
        # First: a manifest of another contract may have other fields.
        contract = record.get("contract", CONTRACT) if isinstance(record, dict) else CONTRACT
        if contract not in range(1, CONTRACT + 1):
            raise ArtifactError(
                f"{name}: made for contract {contract}, this release reads 1 to {CONTRACT}", "train the pair again"
            )
        try:
            return cls.model_validate(record)
        except ValidationError as exc:
            path, wrong = first_problem(exc)
            raise ArtifactError(f"{name}: not a valid manifest: {path}: {wrong}", "train the pair again") from exc


@dataclass(frozen=True)
class Published:
    """Manifest and artifacts of one version; not every earlier release stored all of them."""

    manifest: Manifest
    onnx_model: bytes
    baseline_onnx: bytes | None = None
    past_forecasts: bytes | None = None
    scenario_ranks: bytes | None = None

    @classmethod
    def read(cls, pair: str, version: str, load: Callable[[str], Any]) -> Published:
        """Load a version and verify it.

        Args:
            pair: Name such as ``btc_usdt``.
            version: The version to load.
            load: Returns the content of an artifact: ``manifest`` or one of ``ARTIFACTS``.

        Raises:
            ArtifactError: The manifest is invalid, of another version, or an artifact does not match its checksum.
        """
        manifest = Manifest.read(load("manifest"), f"{pair} {version}").require(pair, version)
        artifacts = {name: load(name) for name in ARTIFACTS if name in {"onnx_model", *manifest.checksums}}
        for name, content in artifacts.items():
            manifest.verify(name, content)
        return cls(manifest, **artifacts)


@dataclass(frozen=True)
class Publication:
    """One version with all that is stored of it: manifest, graphs, and the model card as a record and in Markdown."""

    published: Published
    card: dict[str, Any]
    card_text: str
