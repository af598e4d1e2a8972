"""What a published model would have forecast on candles that its fit has not seen, and how wide that has to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from make_us_rich.domain.widths import Widths
from make_us_rich.evaluation.calibration import Calibration, PastForecasts, Quantiles, apply_widths, widths_at
from make_us_rich.evaluation.scores import coverage
from make_us_rich.features.feature_set import compute_features
from make_us_rich.features.windows import make_windows

if TYPE_CHECKING:
    from make_us_rich.inference.champion import Champion


def past_forecasts(model: Champion, klines: pd.DataFrame, days: int) -> PastForecasts:
    """Re-live the last days: one forecast at each hour after the fit whose every outcome has come, not calibrated.

    Args:
        model: What is served.
        klines: Clean candles, oldest first; a gap stays a gap.
        days: No origin is older.
    """
    manifest = model.manifest
    recent = klines.tail(24 * days + model.candles + manifest.horizon)
    windows = make_windows(compute_features(manifest.feature_set, recent), recent, manifest.lookback, manifest.horizon)
    until = pd.Timestamp(manifest.trained_until or manifest.data.end).tz_convert(None).to_datetime64()
    unseen = windows.at(windows.origins[windows.timestamps[windows.origins] >= until])
    opens = unseen.timestamps[unseen.origins]
    return PastForecasts(opens, unseen.targets(), model.quantiles(unseen.inputs()), manifest.levels)


def measure_widths(model: Champion, klines: pd.DataFrame, rules: Calibration) -> Widths:
    """The factors for the next forecasts, from the past ones.

    Args:
        model: What is served.
        klines: Clean candles, oldest first.
        rules: How widths are calibrated.
    """
    past = past_forecasts(model, klines, rules.days)
    newest = klines["timestamp"].iloc[-1]
    factors = widths_at(past, newest.tz_convert(None).to_datetime64(), rules)
    return Widths(
        version=model.manifest.version,
        at=newest,
        forecasts=len(past.opens),
        factors=tuple(map(float, factors)),
        coverage_before=_coverage_80(past, past.quantiles),
        coverage_after=_coverage_80(past, apply_widths(past.quantiles, factors, past.levels)),
    )


def _coverage_80(past: PastForecasts, quantiles: Quantiles) -> tuple[float, ...]:
    if not len(past.opens):
        return ()
    low, high = (quantiles[:, :, past.levels.index(level)] for level in (0.1, 0.9))
    return tuple(map(float, coverage(past.targets, low, high)))
