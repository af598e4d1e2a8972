"""What a run leaves beside a published model, for tests of what shows it: card, judgement, scores, verdicts, klines."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
from kedro.io import Version

from make_us_rich.candles.frame import to_klines
from make_us_rich.catalog import open_catalog
from make_us_rich.datasets.atomic import JSONDataset
from make_us_rich.domain.judgement import Judgement
from make_us_rich.domain.times import to_ms
from make_us_rich.evaluation.table import score_walk
from make_us_rich.evaluation.trials import verdict_rows
from make_us_rich.pipelines.evaluating.card import write_card
from make_us_rich.replay import SimulatedMarket
from re_lived import walk_of
from synthetic import VERSION, judgement, line

_SPLIT = {"rows": 720, "test_start": "2025-01-28T00:00:00Z", "validation_fraction": 0.2, "horizon": 24}
_DAYS = 40
_MISSING = slice(-150, -140)


def judge(project: Path, now: datetime) -> None:
    """Store what the run of the published version found, after one that was refused, and candles with a gap.

    Args:
        project: Of a published model for btc_usdt.
        now: Candles end there.
    """
    served, found = walk_of("har", "lstm_levels"), judgement("har")
    scores = score_walk(served)
    record, _ = write_card(found, scores, served, served, line("har+lstm_levels"), _SPLIT)
    card = project / "data/06_models/btc_usdt/card.json"
    JSONDataset(filepath=str(card), version=Version(None, VERSION)).save(record)
    stored = {"judgement": found, "scores": scores, "stored_verdicts": _verdicts(), "klines": torn_klines(now)}
    for name, value in stored.items():
        open_catalog("local", project).save(f"btc_usdt.{name}", value)


def torn_klines(now: datetime) -> pd.DataFrame:
    """The simulated market's last days, ten hours of them missing."""
    series = SimulatedMarket(seed=42).series("BTCUSDT", to_ms(now))
    assert series is not None
    # The market is made in pieces, and the last one goes on after now.
    klines = to_klines([json.loads(row) for row in series.rows[-24 * 2 * _DAYS :]], "BTCUSDT")
    closed = klines[klines["close_time"] < pd.Timestamp(now)].tail(24 * _DAYS)
    return closed.drop(closed.index[_MISSING]).reset_index(drop=True)


def _verdicts() -> pd.DataFrame:
    kept = verdict_rows(Judgement.model_validate(judgement("har")), {"har": "0123"})
    refused = verdict_rows(Judgement.model_validate(judgement("lstm", publish=False)), {"lstm": "4567"})
    earlier = refused.assign(at=refused["at"] - timedelta(days=2), version="2024-12-30T00.05.00.000Z")
    return pd.concat([earlier, kept], ignore_index=True)
