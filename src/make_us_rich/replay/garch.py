"""The simulated market's arithmetic: GARCH volatility, Student t shocks, a daily and weekly pattern.

Log price x, in hours t, with seasonal factor s and base volatility b:
``r_t = b · s_t · sqrt(h_t) · e_t``, ``h_t+1 = w + α · h_t · e_t² + β · h_t`` (Bollerslev 1986), ``e`` Student
t of variance 1, and ``x_t = (1 − κ) · x_t−1 + r_t``: a pull back to the scale so weak (half way in half
a year) that hours do not show it, which keeps prices plausible for decades.
"""

import hashlib
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from make_us_rich.domain.klines import HOUR_MS

CHUNK = 1024
"""Hours generated at a time, each chunk from a seed of its own."""

_ALPHA, _BETA = 0.05, 0.94
_FREEDOM = 6
_PULL = log(2) / (365.25 * 12)
_MAX_MOVE = 0.3
Floats = NDArray[np.float64]

_HOURS = np.arange(24)
# Quiet before Europe wakes (4 h UTC), busy when Europe and America trade at once (15 h UTC).
_DAY_PATTERN: Floats = 1 + 0.35 * np.cos((_HOURS - 15) * 2 * np.pi / 24) + 0.1 * np.cos((_HOURS - 14) * 4 * np.pi / 24)
_WEEK_PATTERN: Floats = np.array([1.05, 1.08, 1.08, 1.08, 1.05, 0.8, 0.8])
_THURSDAY = 3


@dataclass(frozen=True)
class Character:
    """What makes one simulated symbol differ from another; prices and sizes are in quote currency."""

    key: int  # seed of its random numbers
    scale: float  # the price that it returns to
    decimals: int
    volatility: float  # base standard deviation of an hour's log return
    turnover: float
    trade_size: float


@dataclass(frozen=True)
class State:
    """The process at the end of a chunk: log price over scale, variance, last close as printed."""

    level: float
    variance: float
    close: float


def character(symbol: str, seed: int, scale: float, quote_value: float) -> Character:
    """Draw a symbol's simulation parameters from its name and the seed; ``quote_value`` is the quote's worth in USD."""
    key = int.from_bytes(hashlib.sha256(f"{symbol}:{seed}".encode()).digest()[:8], "big")
    draws = np.random.default_rng([key, 1]).random(3)
    decimals = int(np.clip(5 - np.floor(np.log10(scale)), 2, 12))
    return Character(
        key=key,
        scale=scale,
        decimals=decimals,
        volatility=0.003 + 0.005 * float(draws[0]),
        turnover=float(10 ** (5.5 + 2.5 * draws[1])) / quote_value,
        trade_size=float(200 + 1800 * draws[2]) / quote_value,
    )


def simulate(of: Character, number: int, start: State, first_open: int) -> tuple[State, Floats]:
    """The hours of chunk ``number``, whose first candle opens at ``first_open`` (ms UTC).

    Returns:
        The state at its end, and ``[hour, column]`` with the columns open, high, low, close, volume,
        quote volume, trades, taker-buy base, taker-buy quote.
    """
    rng = np.random.default_rng([of.key, 2, number])
    hours = first_open // HOUR_MS + np.arange(CHUNK)
    season: Floats = _DAY_PATTERN[hours % 24] * _WEEK_PATTERN[(hours // 24 + _THURSDAY) % 7]
    levels, deviations, variance = _log_prices(of, start, season, rng)
    prices = _prices(of, start.close, levels, deviations, rng)
    end = State(float(levels[-1]), variance, float(prices[-1, 3]))
    return end, np.column_stack([prices, _activity(of, prices, season, deviations, rng)])


def _log_prices(of: Character, start: State, season: Floats, rng: np.random.Generator) -> tuple[Floats, Floats, float]:
    shocks = rng.standard_t(_FREEDOM, CHUNK) * sqrt((_FREEDOM - 2) / _FREEDOM)
    levels, deviations = np.empty(CHUNK), np.empty(CHUNK)
    level, variance = start.level, start.variance
    steps = zip(shocks.tolist(), (of.volatility * season).tolist(), strict=True)
    for hour, (shock, usual) in enumerate(steps):
        deviation = usual * sqrt(variance)
        move = max(-_MAX_MOVE, min(_MAX_MOVE, deviation * shock))
        level += move - _PULL * level
        levels[hour], deviations[hour] = level, deviation
        variance = (1 - _ALPHA - _BETA) + variance * (_ALPHA * shock * shock + _BETA)
    return levels, deviations, variance


def _prices(of: Character, before: float, levels: Floats, deviations: Floats, rng: np.random.Generator) -> Floats:
    tick = 10.0**-of.decimals
    closes = np.maximum(np.round(of.scale * np.exp(levels), of.decimals), tick)
    opens = np.concatenate([[before], closes[:-1]])
    reach = np.abs(rng.standard_normal((2, CHUNK))) * deviations * 0.5
    highs = np.round(np.maximum(opens, closes) * np.exp(reach[0]), of.decimals)
    lows = np.round(np.minimum(opens, closes) * np.exp(-reach[1]), of.decimals)
    return np.column_stack([opens, highs, np.maximum(lows, tick), closes])


def _activity(
    of: Character, prices: Floats, season: Floats, deviations: Floats, rng: np.random.Generator
) -> NDArray[Any]:
    opens, highs, lows, closes = prices.T
    noise = rng.standard_normal((3, CHUNK))
    busy = (np.log(highs / lows) / (1.6 * of.volatility) + 0.05) ** 0.8
    volume = np.round(of.turnover * busy * np.sqrt(season) * np.exp(0.35 * noise[0]) / closes, 5) + 1e-5
    typical = (opens + highs + lows + closes) / 4
    trades = np.maximum(1, np.round(volume * typical / of.trade_size * np.exp(0.2 * noise[1])))
    pressure = np.log(closes / opens) / deviations
    share = np.clip(0.5 + 0.05 * np.tanh(pressure) + 0.04 * noise[2], 0.05, 0.95)
    taker = np.round(volume * share, 5)
    return np.column_stack([volume, volume * typical, trades, taker, taker * typical])
