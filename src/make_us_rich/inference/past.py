"""Out-of-sample forecasts that go before the next one, and how wide it has to be by them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from make_us_rich.backtest.backtest import mean_quantiles
from make_us_rich.backtest.calibration import (
    CalibrationParameters,
    PastForecasts,
    center_on_last_close,
    conformity_scores,
    day_starts,
    scales_at,
    tail_scores,
    track_tails,
)
from make_us_rich.domain.conformal import ConformalScales
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.forecast import TARGETS, scored_positions
from make_us_rich.features.registry import compute_features
from make_us_rich.features.windows import make_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from make_us_rich.backtest.backtest import Backtests
    from make_us_rich.inference.champion import Champion

HISTORY_DAYS = 7
"""Days of past forecasts that are shown beside the next one."""


@dataclass(frozen=True)
class PastRecord:
    """What a recipe forecast in the backtest, before the fit that is published saw those hours too.

    Attributes:
        opens: Open time of each origin, UTC, ``datetime64[ms]``, ascending, ``[window]``.
        scores: `conformity_scores` by target, ``[horizon, window]``.
        quantiles: Closes of the last ``HISTORY_DAYS``, not calibrated, ``[recent window, horizon, level]``.
        tails: `tail_scores` by target, ``[side, horizon, window]``, 0 where no tail is as narrow; empty in a record of
            an earlier release.
    """

    opens: NDArray[np.datetime64]
    scores: Mapping[str, NDArray[np.floating]]
    quantiles: NDArray[np.float32]
    tails: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """As an npz file."""
        file = io.BytesIO()
        # Three digits suffice for scores, and keep a version small; one beyond 65,504 becomes infinite.
        with np.errstate(over="ignore"):
            named = {**self.scores, **{f"{target}_tails": each for target, each in self.tails.items()}}
            scores: dict[str, Any] = {name: each.astype(np.float16) for name, each in named.items()}
        np.savez_compressed(file, opens=self.opens, quantiles=self.quantiles, **scores)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> PastRecord:
        """From the result of `to_bytes`.

        Raises:
            ArtifactError: It is something else.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                scores = {target: file[target] for target in TARGETS}
                tails = {target: file[f"{target}_tails"] for target in TARGETS if f"{target}_tails" in file}
                return cls(file["opens"], scores, file["quantiles"], tails)
        except (BadZipFile, EOFError, KeyError, OSError, TypeError, ValueError, zlib.error) as exc:
            raise ArtifactError(f"{name}: its past forecasts are damaged", "train the pair again") from exc


def past_forecasts_of(backtests: Backtests, choice: str, rules: CalibrationParameters, *, center: bool) -> PastRecord:
    """The newest forecasts of a backtest, for calibrating the same recipe.

    Args:
        backtests: By target, not calibrated.
        choice: A model of the backtest, or several joined by a plus.
        rules: How intervals are calibrated.
        center: Whether the median of the closes is the last close.
    """
    close = backtests["close"]
    members = choice.split("+")
    if not len(close) or not all(name in close.quantiles for name in members):
        empty = np.empty((len(close.targets[0]) if len(close) else 0, 0))
        return PastRecord(close.opens[:0], dict.fromkeys(TARGETS, empty), np.empty((0, 0, 0), np.float32))
    oldest = close.opens[-1] - np.timedelta64(rules.window_days, "D")
    recent = slice(int(close.opens.searchsorted(oldest)), None)
    scores, tails, quantiles = {}, {}, np.empty(0, np.float32)
    for target, backtest in backtests.items():
        part = backtest.at(recent)
        made = mean_quantiles([part.quantiles[name] for name in members])
        if target == "close":
            made = center_on_last_close(made, part.levels) if center else made
            last = part.opens >= part.opens[-1] - np.timedelta64(HISTORY_DAYS, "D")
            quantiles = made[last][:, :, scored_positions(part.levels)].astype(np.float32)
        past = PastForecasts(part.opens, part.targets, made, part.levels, target)
        scores[target], outer = conformity_scores(past, rules), tail_scores(past)
        tails[target] = np.where(outer > rules.min_tail_scale, outer, 0)
    return PastRecord(close.opens[recent], scores, quantiles, tails)


def past_forecasts(
    model: Champion, klines: pd.DataFrame, days: int, horizon: int | None = None
) -> dict[str, PastForecasts]:
    """Re-live the last days: one forecast at each hour after the fit whose every outcome has come, not calibrated.

    Args:
        model: What is served.
        klines: Clean candles, oldest first; a gap stays a gap.
        days: No origin is older.
        horizon: Hours whose outcome must be known, and whose targets are returned; by default all of the model's.

    Returns:
        By target.
    """
    manifest = model.manifest
    horizon = horizon or manifest.horizon
    recent = klines.tail(24 * days + model.candles + horizon)
    windows = make_windows(compute_features(manifest.feature_set, recent), recent, manifest.lookback, horizon)
    until = pd.Timestamp(manifest.trained_until or manifest.data.end).tz_convert(None).to_datetime64()
    unseen = windows.at(windows.origins[windows.timestamps[windows.origins] >= until])
    opens = unseen.timestamps[unseen.origins]
    return {
        target: PastForecasts(opens, unseen.targets(target), quantiles, manifest.levels, target)
        for target, quantiles in model.quantiles(unseen.inputs()).items()
    }


def measure_scales(
    model: Champion, klines: pd.DataFrame, rules: CalibrationParameters, record: PastRecord | None = None
) -> ConformalScales:
    """The factors for the next forecasts, from the past ones.

    Args:
        model: What is served.
        klines: Clean candles, oldest first.
        rules: How intervals are calibrated.
        record: Forecasts of the backtest that go before the fit; None where none are stored.
    """
    newest = klines["timestamp"].iloc[-1]
    moment = newest.tz_convert(None).to_datetime64()
    found, tails, opens, known = {}, {}, np.empty(0, "datetime64[ms]"), np.empty((model.manifest.horizon, 0))
    for target, past in past_forecasts(model, klines, rules.window_days).items():
        opens, scores, outer = past.opens, conformity_scores(past, rules), tail_scores(past)
        if record is not None and len(record.opens):
            before = record.tails.get(target, np.empty((0, len(scores), len(record.opens))))
            opens = np.concatenate([record.opens, opens])
            scores = np.concatenate([record.scores[target], scores], axis=1)
            outer = np.concatenate([before, outer[: len(before)]], axis=2)
        recent = opens >= moment - np.timedelta64(rules.window_days, "D")
        opens, scores, outer = opens[recent], scores[:, recent], outer[..., recent]
        found[target] = scales_at(opens, scores, moment, rules)
        moments = np.append(opens[day_starts(opens)], moment)
        tails[target] = track_tails(opens, outer, moments, rules)[-1].tolist()
        if target == "close":
            known = scores
    factors = {target: tuple(map(float, each)) for target, each in found.items()}
    return ConformalScales(
        version=model.manifest.version,
        at=newest,
        forecasts=len(opens),
        factors=factors["close"],
        high_factors=factors.get("high", ()),
        low_factors=factors.get("low", ()),
        tails=tails,
        coverage_before=_coverage(known, np.ones(len(known))),
        coverage_after=_coverage(known, found["close"]),
    )


def _coverage(scores: NDArray[np.floating], factors: NDArray[np.floating]) -> tuple[float, ...]:
    """Share of the outcomes within an interval that is wider by these factors, by horizon; empty without outcomes."""
    return tuple(map(float, (scores <= factors[:, None]).mean(axis=1))) if scores.size else ()
