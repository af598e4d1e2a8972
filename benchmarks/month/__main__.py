"""A simulated month of the hourly job: outages, 429 storms, kills, restarts, a crash; ``make month``.

The replay exchange's clock is set from hour to hour. In every hour that the machine is up the monitoring runs and the
checks run twice; once a day the pair is trained. Everything is real but the time and the command line. A readable
report comes first; the last line is one JSON object: ``hours``; ``issued`` and ``scored``: forecasts;
``unexplained_missed_forecasts``; ``duplicates``; ``alerts`` that were raised; ``unexpected_alerts`` and
``missing_alerts`` by the plan; ``disk_mb_half`` and ``disk_mb_end``; and other counts. The exit code is 1 where
something is wrong.
"""

import json
import logging
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.month.api import Api
from benchmarks.month.market import crashing_market
from benchmarks.month.plan import MONTH, day
from benchmarks.month.project import PAIR, lay_out
from benchmarks.month.report import figures, report, wrong
from benchmarks.month.simulation import HOUR, Month, Plan
from benchmarks.month.sink import Sink
from make_us_rich.alerts.sending import ADDRESSES
from make_us_rich.replay import Clock, ReplayServer

START = datetime(2025, 3, 1, tzinfo=UTC)
HISTORY = 300
PARAMETERS: dict[str, Any] = {
    "architectures": "har",
    "history_days": HISTORY,
    "backtest": {"test_size": 336, "calibration_size": 720, "min_train_size": 2160},
    "exporting": {"max_versions": 5, "champion_retention_days": 7},
    # Short, so that the record is full before the month is half over.
    "monitoring": {"retention_days": 12},
    "alerts": {"min_disk_free": 0.0},
}


def main(hours: int) -> bool:
    """Live through the month, print what came of it, and say whether all is as it should be."""
    logging.disable(logging.WARNING)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        os.environ[ADDRESSES] = sink.address
        market = crashing_market(
            Path(folder),
            (START - timedelta(days=HISTORY + 2), START + (hours + 48) * HOUR),
            (START + day(12) * HOUR, START + day(14) * HOUR),
        )
        with ReplayServer(market, Clock(START, speed=0), weight_limit=10**9) as exchange:
            project = lay_out(Path(folder) / "project", exchange.url, PARAMETERS)
            os.chdir(project)
            api = Api(project)
            month = Month(project, exchange, Plan(START, hours, MONTH), api)
            try:
                for hour in month.live():
                    _progress(hour, time.monotonic() - began)
                past = api.past(PAIR)
            finally:
                api.kill()
                os.chdir("/")
        for line in report(month):
            print(line)
        print(f"{len(sink.messages)} messages arrived; the API's past is {past['source']}; the last message:")
        print("\n".join(f"  {line}" for line in str(sink.messages[-1]["message"]).splitlines()))
        told = {"messages": len(sink.messages), "past": past["source"], "seconds": round(time.monotonic() - began)}
        print(json.dumps({**figures(month), **told}))
    return not any(wrong(month))


def _progress(hour: int, seconds: float) -> None:
    if hour % 24 == 23:
        sys.stderr.write(f"day {hour // 24 + 1}: {seconds:.0f} s\n")


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 720) else 1)
