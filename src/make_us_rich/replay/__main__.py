"""The command ``python -m make_us_rich.replay``."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from make_us_rich.domain.errors import MakeUsRichError, ParameterError
from make_us_rich.replay.exchange import DEFAULT_WEIGHT_LIMIT, Clock, FolderMarket, Market
from make_us_rich.replay.faults import KINDS, Faults
from make_us_rich.replay.server import ReplayServer
from make_us_rich.replay.simulated import SimulatedMarket

NAME = "python -m make_us_rich.replay"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code: 0, or 2 where an argument is wrong."""
    try:
        _serve(_parser().parse_args(arguments))
    except MakeUsRichError as error:
        sys.stderr.write(f"{NAME}: {error}\n")
        return 2
    return 0


def _serve(options: argparse.Namespace) -> None:
    limits = {"latency_seconds": options.latency_seconds, "retry_after": options.retry_after}
    faults = Faults(dict(options.fault), seed=options.seed, everywhere=options.fault_everywhere, **limits)
    market: Market = SimulatedMarket(options.seed) if options.simulate else FolderMarket(options.data)
    clock = Clock(options.now or market.default_now(), options.speed)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    server = ReplayServer(market, clock, faults, options.port, host=options.host, weight_limit=options.weight_limit)
    with server:
        now = clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        print(f"Replay exchange on {server.url} replays {market.title} at {now}, speed {clock.speed:g}", flush=True)
        stopped.wait()


def rate(text: str) -> tuple[str, float]:
    """Such as ``429=0.1``."""
    kind, _, number = text.partition("=")
    return kind, float(number)


def time(text: str) -> datetime:
    """Such as ``2025-03-01T12:00:00Z``; UTC without a zone."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line."""

    def error(self, message: str) -> NoReturn:
        raise ParameterError(message, f"see {NAME} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=NAME, description="A local exchange that speaks Binance's REST protocol.")
    market = parser.add_mutually_exclusive_group(required=True)
    market.add_argument("--data", type=Path, metavar="FOLDER", help="replay this folder's kline files")
    market.add_argument("--simulate", action="store_true", help="replay a simulated market")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8123, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--now", type=time, metavar="ISO", help="virtual time to start at, such as 2025-03-01T12:00Z")
    parser.add_argument("--speed", type=float, default=1.0, metavar="FACTOR", help="virtual seconds a second")
    parser.add_argument("--seed", type=int, default=0, help="of the simulated market and of the faults")
    kinds = "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())
    parser.add_argument("--fault", type=rate, action="extend", nargs="+", default=[], metavar="KIND=RATE", help=kinds)
    parser.add_argument("--latency-seconds", type=float, default=2.0, metavar="SECONDS", help="of the fault latency")
    parser.add_argument("--retry-after", type=float, default=1, metavar="SECONDS", help="of the faults 429 and 418")
    parser.add_argument("--fault-everywhere", action="store_true", help="faults hit ping and time, too")
    parser.add_argument("--weight-limit", type=int, default=DEFAULT_WEIGHT_LIMIT, help="request weight per minute")
    return parser


if __name__ == "__main__":
    sys.exit(main())
