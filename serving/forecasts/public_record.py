"""The public record of each pair: what was forecast and what happened, from what the monitoring has written."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate

from make_us_rich.client.record import MissedHours, PairRecord, RecordScores, RecordWindow
from make_us_rich.domain.forecast import QUANTILE_LEVELS, TARGETS
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.live import HorizonScores, LiveScores
from serving.forecasts.candles import CandleCache
from serving.forecasts.history import ForecastHistory

# Of these kinds the recorded reason is an error message, which may name paths and servers.
_REASONS = {"failed": "the run failed", "cannot": "neither the model nor the baseline can forecast"}
_PREFIXES = {target: "" if target == "close" else f"{target}_" for target in TARGETS}


@dataclass
class PublicRecord:
    """JSON of each pair's record, made once for each run of the monitoring: it takes some milliseconds."""

    history: ForecastHistory
    candles: CandleCache
    _bodies: dict[str, tuple[tuple[datetime | None, bool], bytes]] = field(default_factory=dict, init=False)

    def is_simulated(self, pair: str) -> bool:
        """Whether the forecasts, or the candles that are served now, are of a simulated market."""
        scores = self.history.scores.get(pair)
        return self.candles.simulated or (scores is not None and scores.simulated)

    def body(self, pair: str) -> bytes:
        """A ``PairRecord``; without windows where nothing is recorded yet."""
        scores, simulated = self.history.scores.get(pair), self.is_simulated(pair)
        key = scores.at if scores else None, simulated
        made = self._bodies.get(pair)
        if made is None or made[0] != key:
            record = PairRecord(
                pair=pair,
                simulated=simulated,
                as_of=key[0],
                levels=list(QUANTILE_LEVELS),
                windows=_windows(scores) if scores else [],
                missed=_missed_hours(scores) if scores else [],
            )
            made = self._bodies[pair] = key, record.model_dump_json().encode()
        return made[1]


def _windows(scores: LiveScores) -> list[RecordWindow]:
    return [
        RecordWindow(
            days=window.days,
            forecasts=window.n_forecasts,
            missed=sum(each.hour > scores.at - timedelta(days=window.days) for each in scores.missed),
            architectures=list(window.architectures),
            overall=_scores(window.overall),
            horizons=[_scores(each) for each in window.horizons],
        )
        for window in scores.served
    ]


def _scores(found: HorizonScores) -> RecordScores:
    def of(name: str) -> float | None:
        value: float | None = getattr(found, name)
        return None if value is None else round(value, 4)

    pits: dict[str, tuple[float, ...]] = {
        target: getattr(found, f"{prefix}pit") for target, prefix in _PREFIXES.items()
    }
    return RecordScores(
        hours=found.horizon or None,
        outcomes={target: getattr(found, f"{prefix}n_outcomes") for target, prefix in _PREFIXES.items()},
        coverage={share: of(f"coverage_{share}") for share in ("50", "80", "90")},
        skill={target: of(f"{prefix}skill") for target, prefix in _PREFIXES.items()},
        below={
            target: [round(share, 4) for share in accumulate(pit[:-1])] if pit else None for target, pit in pits.items()
        },
    )


def _missed_hours(scores: LiveScores) -> list[MissedHours]:
    spans: list[MissedHours] = []
    for each in scores.missed:
        newest, reason = spans[-1] if spans else None, _REASONS.get(each.kind, each.reason)
        if newest and (newest.last + HOUR, newest.kind, newest.reason) == (each.hour, each.kind, reason):
            spans[-1] = newest.model_copy(update={"last": each.hour, "hours": newest.hours + 1})
        else:
            spans.append(MissedHours(first=each.hour, last=each.hour, hours=1, kind=each.kind, reason=reason))
    return spans
