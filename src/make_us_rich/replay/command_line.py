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
from make_us_rich.replay.clock import Clock
from make_us_rich.replay.exchange import Market
from make_us_rich.replay.faults import KINDS, Faults
from make_us_rich.replay.folder import FolderMarket
from make_us_rich.replay.server import ReplayServer
from make_us_rich.replay.simulated import SimulatedMarket
from make_us_rich.replay.weight import DEFAULT_LIMIT

NAME = "python -m make_us_rich.replay"
_LARGEST_PORT = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code: 0, or 2 where an argument is wrong."""
    try:
        server = _server(_parser().parse_args(arguments))
        _serve(server)
    except MakeUsRichError as error:
        sys.stderr.write(f"{NAME}: {error}\n")
        return 2
    return 0


def _serve(server: ReplayServer) -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with server:
        sys.stdout.write(f"{_greeting(server)}\n")
        sys.stdout.flush()
        stopped.wait()


def _greeting(server: ReplayServer) -> str:
    now = server.clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")
    market, speed = server.exchange.market.title, server.clock.speed
    return f"Replay exchange on {server.url} replays {market} at {now}, speed {speed:g}"


def _server(chosen: argparse.Namespace) -> ReplayServer:
    faults = _faults(chosen)
    if not 0 <= chosen.port <= _LARGEST_PORT:
        raise ParameterError(f"--port {chosen.port} is out of range; give 0 (any free one) to {_LARGEST_PORT}")
    if chosen.weight_limit < 1:
        raise ParameterError(f"--weight-limit {chosen.weight_limit} is out of range; give a number from 1 upwards")
    start = _moment(chosen.now) if chosen.now else None
    market: Market = SimulatedMarket(chosen.seed) if chosen.simulate else FolderMarket(chosen.data)
    clock = Clock(start or market.default_now(), chosen.speed)
    return ReplayServer(market, clock, faults, chosen.port, host=chosen.host, weight_limit=chosen.weight_limit)


def _faults(chosen: argparse.Namespace) -> Faults:
    return Faults(
        dict(_fault(text) for text in chosen.fault),
        seed=chosen.seed,
        latency_seconds=chosen.latency_seconds,
        retry_after=chosen.retry_after,
        everywhere=chosen.fault_everywhere,
    )


def _fault(text: str) -> tuple[str, float]:
    kind, _, rate = text.partition("=")
    try:
        return kind, float(rate)
    except ValueError as exc:
        raise ParameterError(f"--fault {text}: write <kind>=<rate> as in 429=0.1, the rate from 0 to 1") from exc


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ParameterError(f"--now {text} is no ISO time; write it like 2025-03-01T12:00:00Z") from exc
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line."""

    def error(self, message: str) -> NoReturn:
        raise ParameterError(f"{message}; see {NAME} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=NAME, description="A local exchange that speaks Binance's REST protocol.")
    market = parser.add_mutually_exclusive_group(required=True)
    market.add_argument("--data", type=Path, metavar="FOLDER", help="replay this folder's kline files")
    market.add_argument("--simulate", action="store_true", help="replay a simulated market")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8123, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--now", metavar="ISO", help="virtual time to start at; UTC unless it says otherwise")
    parser.add_argument("--speed", type=float, default=1.0, metavar="FACTOR", help="virtual seconds a second")
    parser.add_argument("--seed", type=int, default=0, help="of the simulated market and of the faults")
    _add_misbehaviour(parser)
    return parser


def _add_misbehaviour(parser: argparse.ArgumentParser) -> None:
    kinds = "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())
    parser.add_argument("--fault", action="extend", nargs="+", default=[], metavar="KIND=RATE", help=kinds)
    parser.add_argument("--latency-seconds", type=float, default=2.0, metavar="SECONDS", help="of the fault latency")
    parser.add_argument("--retry-after", type=float, default=1, metavar="SECONDS", help="of the faults 429 and 418")
    parser.add_argument("--fault-everywhere", action="store_true", help="faults hit ping and time, too")
    parser.add_argument("--weight-limit", type=int, default=DEFAULT_LIMIT, help="per minute (default: %(default)s)")
