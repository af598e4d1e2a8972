"""Scores of every model of a backtest, by horizon, fold and volatility, the baseline's beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.backtest.backtest import Backtest, Backtests
from make_us_rich.backtest.comparison import diebold_mariano
from make_us_rich.backtest.scores import coverage, crps, directional_accuracy, mae, mape, mase, rmse, skill
from make_us_rich.domain.forecast import BASELINE, QUANTILE_LEVELS, scored_positions

INTERVALS = {50: (0.25, 0.75), 80: (0.1, 0.9), 90: (0.05, 0.95)}
"""Target coverage in per cent to the levels of the interval's ends."""

OUTER_LEVELS = (0.025, 0.975)
"""Levels beyond which shares of the outcomes are counted."""

PREFIXES = {"close": "", "high": "high_", "low": "low_"}
"""Of the scores of a target."""

ALL = 0
"""In place of the number of a fold or horizon: all of them."""

ANY = "all"
"""In place of a tercile of volatility: all of them."""

TERCILES = ("low", "middle", "high")
"""Terciles of volatility, ascending."""

KEYS = ("architecture", "fold", "volatility", "horizon", "windows")
"""The columns that identify a row; the others are scores."""

Columns = dict[str, NDArray[np.float64]]


def score_backtest(backtests: Backtests) -> pd.DataFrame:
    """Every score of every model, for all windows, each fold and each tercile of volatility.

    The terciles are cut by the width of the baseline's 90 % interval at one hour, which was known at the origin.
    Windows of the same width share the lower tercile, so that terciles may differ in size, or have no rows.

    Args:
        backtests: The test folds by target, quantiles as served, the baseline's among them.

    Returns:
        One row an architecture, scope and horizon, and one with the horizon ``ALL`` for the mean over all of them.
        ``architecture``; ``fold``, or ``ALL``; ``volatility``, one of ``TERCILES`` at the fold ``ALL`` only, or
        ``ANY``; ``horizon`` (hours); ``windows``; ``crps`` (log return); ``below`` and ``above`` (share of the outcomes
        beyond ``OUTER_LEVELS``); ``coverage_*`` (share); ``rmse``, ``mae`` (quote currency); ``mape`` (share); ``mase``
        (in naive errors of the fold's training rows); ``directional_accuracy`` (share); the first three of highs and
        lows, as ``high_*`` and ``low_*``; all of the baseline as ``baseline_*``; ``crps_skill``, ``high_crps_skill``,
        ``low_crps_skill``; and ``dm_t``, ``dm_p`` of the Diebold-Mariano test on the CRPS (its mean over the horizons
        at ``ALL``), NaN for parts of the windows and where a loss is not finite or there are too few. No row of a
        backtest without windows.
    """
    backtest = backtests["close"]
    if not len(backtest):
        return pd.DataFrame(columns=list(KEYS))
    folds, terciles = backtest.folds, volatility_terciles(backtest)
    scopes = [
        (ALL, ANY, slice(None)),
        *((int(fold), ANY, folds == fold) for fold in np.unique(folds)),
        *((ALL, TERCILES[tercile], terciles == tercile) for tercile in np.unique(terciles)),
    ]
    scored, tables = backtest.scored(), []
    for fold, volatility, chosen in scopes:
        scores = {name: _scores(backtests, name, chosen) for name in backtest.quantiles}
        reference = scores[BASELINE]
        for name, own in scores.items():
            keys = {"architecture": name, "fold": fold, "volatility": volatility}
            baseline = {f"baseline_{score}": values for score, values in reference.items()}
            gain = {
                f"{prefix}crps_skill": skill(own[f"{prefix}crps"], reference[f"{prefix}crps"])
                for prefix in PREFIXES.values()
            }
            tests = _tests(scored, name) if (fold, volatility) == (ALL, ANY) else {}
            counts = {"horizon": np.arange(len(own["crps"])), "windows": len(folds[chosen])}
            tables.append(pd.DataFrame({**keys, **counts, **own, **baseline, **gain, **tests}))
    return pd.concat(tables, ignore_index=True)


def volatility_terciles(backtest: Backtest) -> NDArray[np.intp]:
    """Position in ``TERCILES`` of each window, ``[window]``; see `score_backtest`."""
    low, high = (backtest.quantiles[BASELINE][:, 0, backtest.levels.index(level)] for level in INTERVALS[90])
    widths = high - low
    return np.searchsorted(np.quantile(widths, [1 / 3, 2 / 3]), widths)


def _scores(backtests: Backtests, name: str, chosen: NDArray[np.bool_] | slice) -> Columns:
    """By score, of some windows, the mean over the horizons before them, ``[1 + horizon]``."""
    backtest = backtests["close"]
    targets, quantiles = backtest.targets[chosen], backtest.quantiles[name][chosen]
    at = {level: quantiles[:, :, index] for index, level in enumerate(backtest.levels)}
    closes = backtest.closes[chosen, None]
    actual, points = closes * np.exp(targets), closes * np.exp(at[0.5].astype(np.float64))
    scores = {
        **{
            f"{PREFIXES[target]}{score}": values
            for target, each in backtests.items()
            for score, values in _tails(each, name, chosen).items()
        },
        **{f"coverage_{share}": coverage(targets, at[low], at[high]) for share, (low, high) in INTERVALS.items()},
        "rmse": rmse(actual, points),
        "mae": mae(actual, points),
        "mape": mape(actual, points),
        "mase": mase(actual, points, backtest.naive_errors[chosen, None]),
        "directional_accuracy": directional_accuracy(targets, at[0.5]),
    }
    return {score: np.insert(values, ALL, values.mean()) for score, values in scores.items()}


def _tails(backtest: Backtest, name: str, chosen: NDArray[np.bool_] | slice) -> Columns:
    """What closes, highs and lows are scored by, ``[horizon]`` each."""
    quantiles, targets = backtest.quantiles[name][chosen], backtest.targets[chosen]
    low, high = (quantiles[:, :, backtest.levels.index(level)] for level in OUTER_LEVELS)
    return {
        "crps": crps(targets, quantiles[:, :, scored_positions(backtest.levels)], QUANTILE_LEVELS).mean(axis=0),
        "below": (targets < low).mean(axis=0),
        "above": (targets > high).mean(axis=0),
    }


def _tests(backtest: Backtest, name: str) -> Columns:
    """The Diebold-Mariano test at each horizon, that of the mean over them first, ``[1 + horizon]``."""
    own, reference = (crps(backtest.targets, backtest.quantiles[each], backtest.levels) for each in (name, BASELINE))
    horizons = own.shape[1]
    results = np.full((1 + horizons, 2), np.nan)
    for at in range(1 + horizons):
        loss_a, loss_b = (each[:, at - 1] if at else each.mean(axis=1) for each in (own, reference))
        if len(backtest) > (at or horizons) and np.isfinite([loss_a, loss_b]).all():
            found = diebold_mariano(loss_a, loss_b, at or horizons)
            results[at] = found.t, found.p
    return {"dm_t": results[:, 0], "dm_p": results[:, 1]}
