"""The manifest: what a published model is, how good it was, and how to check its artifacts."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from make_us_rich.domain.checksums import verify
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.validation import first_problem

CONTRACT = 1
"""Version of the ONNX contract in docs/onnx-contract.md."""


class Verdict(BaseModel):
    """Whether a model may be served, and why, in words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    publish: bool
    reason: str


GRAPHS = {"onnx_model": "the ONNX model", "baseline_onnx": "the baseline's ONNX model"}
"""Graphs of a version by artifact, and what messages call them."""

NO_EDGE = Verdict(publish=False, reason="no edge: the point forecast is the last close")
"""Of a model whose median is shown as the last close."""


class DataRange(BaseModel):
    """The candles a model has seen: open times of the first and the last one, UTC, and their number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: datetime
    end: datetime
    rows: int


class Reads(BaseModel):
    """What a graph takes: ``lookback`` rows of these ``columns``, in this order, of a feature set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature_set: str
    columns: tuple[str, ...]
    lookback: int


class Candidate(BaseModel):
    """A converted model that has been judged and not been published yet.

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
        checksums: SHA-256 by artifact, hexadecimal: ``onnx_model``, ``baseline_onnx``, and ``scaler`` once it is
            published.
        verdict: Whether it may be served.
        recipe: Hyperparameters by architecture, one for each member of a combination; empty before release 0.2.
        trained_until: Open time of the last candle that the fit has seen, UTC; forecasts of later ones calibrate it.
        edge: Whether the median may be shown instead of the last close.
        baseline: What the baseline's graph, stored beside the model's, takes; None before release 0.2.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    recipe: dict[str, dict[str, Any]] = {}
    trained_until: datetime | None = None
    edge: Verdict = NO_EDGE
    baseline: Reads | None = None

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

    def verify(self, artifact: str, graph: bytes) -> None:
        """Compare a graph with its checksum.

        Raises:
            ArtifactError: They differ.
        """
        verify(graph, self.checksums.get(artifact, ""), f"{self.pair} {self.version}: {GRAPHS[artifact]}")

    @classmethod
    def read(cls, record: Any, name: str) -> "Manifest":
        """Check a record from the store.

        Raises:
            ArtifactError: It is no manifest, or one of another contract.
        """
        # First: a manifest of another contract may have other fields.
        contract = record.get("contract", CONTRACT) if isinstance(record, dict) else CONTRACT
        if contract != CONTRACT:
            raise ArtifactError(
                f"{name}: made for contract {contract}, this release reads {CONTRACT}; train the pair again"
            )
        try:
            return cls.model_validate(record)
        except ValidationError as exc:
            path, wrong = first_problem(exc)
            raise ArtifactError(f"{name}: not a valid manifest: {path}: {wrong}; train the pair again") from exc
