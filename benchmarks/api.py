"""The API: a counted forecast beside no-op endpoints of the same server, and what pairs cost in seconds and memory.

Everything is real: a PostgreSQL, a replay exchange, a model that a run has published (the baseline as a rule: of 90
days little else passes the gate), the server as it is started in production. Each of the forty pairs has a copy of that
model under its own name. Rounds alternate, with 16 connections that have a token each, of a new user in each round.

The last line is one JSON object:

- ``predict_over_noop``: answers a second of ``PUT /api/v1/predict`` divided by those of ``PUT /noop``, an ordinary
  endpoint of FastAPI that does nothing;
- ``p99_over_noop``: their 99th percentiles;
- ``predict_over_bare``: the same as the first for ``PUT /bare``, a function of Starlette that does nothing;
- ``predict_over_noop_small``, ``p99_over_noop_small``: as the first two, for a plan whose blocks are of 50 calls; all
  others are for one whose blocks are of 1,000;
- ``ready_s``, ``rss_mb``: from the start of the process with three pairs until ``/readyz`` is 200, and its memory;
- ``rss_per_pair_mb``: what each pair more adds, of 40;
- ``ready_40_s``: until all of 40 pairs are answered;
- ``infer_over_mlflow``, ``predict_over_mlflow``: answers a second of ``POST /v2/models/…/infer``, which computes a
  forecast from features, and of ``/predict``, which has it ready, divided by those of ``mlflow models serve`` with the
  same graph and the same features; the same for BentoML where that is installed.


"""

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.http_load import Load, put_under_load
from benchmarks.rivals import MLFLOW, Numbers, post
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from serving.accounts.accounts import Accounts
from serving.settings import Settings
from tests.postgres_server import missing_programs, new_server

REPOSITORY = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
PAIRS = ["btc_usdt", *(f"p{number:02}x_usdt" for number in range(39))]
CONNECTIONS, ROUNDS, SECONDS, WARMING_SECONDS = 16, 7, 2.0, 0.5
LARGE, SMALL = 1_000_000_000, 5_000  # Calls a month: blocks of 1,000, and the largest plan with blocks of 50.
FOLDS = "backtest.n_folds=2,backtest.test_size=72,backtest.calibration_size=72,backtest.min_train_size=200"
PATHS = {"bare": "/bare", "noop": "/noop", "predict": "/api/v1/predict?currency=btc&compare=usdt"}


@dataclass(frozen=True)
class Site:
    """What a server is started on."""

    project: Path
    exchange: str
    database: str
    monthly_calls: int = LARGE

    @contextmanager
    def serving(self, pairs: list[str], module: str = "serving") -> Iterator["Serving"]:
        """Start a server, and end it."""
        local = self.project / "conf/local/parameters.yml"
        local.write_text(json.dumps({"pairs": pairs}))
        port = _free_port()
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **self.variables(), "MAKE_US_RICH_PORT": str(port)}
        with (self.project / "serving.log").open("wb") as log:
            begun = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, "-m", module], cwd=self.project, env=environment, stdout=log, stderr=log
            )
            try:
                yield Serving(port, process, begun)
            finally:
                process.terminate()
                process.wait(timeout=60)

    @property
    def graph(self) -> Path:
        """What the first pair's run has published."""
        return next((self.project / "data/06_models" / PAIRS[0] / "model.onnx").glob("*/model.onnx"))

    def variables(self) -> dict[str, str]:
        """Settings of the server."""
        named = {"EXCHANGE_URL": self.exchange, "DATABASE_URL": self.database, "MONTHLY_CALLS": str(self.monthly_calls)}
        return {"KEDRO_ENV": "local"} | {f"MAKE_US_RICH_{name}": value for name, value in named.items()}


@dataclass(frozen=True)
class Serving:
    """A server that runs."""

    port: int
    process: "subprocess.Popen[bytes]"
    begun: float

    def ask(self, path: str) -> bytes | None:
        """An answer; None where it is none, or no 200."""
        with suppress(urllib.error.URLError, ConnectionError):
            answer: bytes = urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10).read()
            return answer
        return None

    def until_ready(self, pairs: int) -> float:
        """Wait until it is ready and has a forecast of every pair; seconds since it was started."""
        while self.process.poll() is None and time.perf_counter() - self.begun < 60:
            if self.ask("/readyz") and self.forecasts() == pairs:
                return time.perf_counter() - self.begun
            time.sleep(0.02)
        raise SystemExit("the server does not get ready")

    def forecasts(self) -> int:
        """Pairs with a forecast."""
        told = json.loads(self.ask("/api/v1/pairs") or b'{"pairs": []}')["pairs"]
        return sum(pair["issued_at"] is not None for pair in told)

    def rss_mb(self) -> float:
        """Its memory, in MB of 1,048,576 bytes, as ``top`` shows it."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Measure and print."""
    if missing := missing_programs():
        raise SystemExit(f"this needs PostgreSQL: {' and '.join(missing)} not installed")
    with ExitStack() as stack:
        site = make_site(stack)
        large, small = compare(site), compare(replace(site, monthly_calls=SMALL))
        few, many = weigh(site, PAIRS[:3]), weigh(site, PAIRS)
        rivals = compare_with_rivals(site)
    figures = {
        "predict_over_noop": throughput(large, "noop"),
        "p99_over_noop": p99(large),
        "predict_over_bare": throughput(large, "bare"),
        "predict_over_noop_small": throughput(small, "noop"),
        "p99_over_noop_small": p99(small),
        "ready_s": round(few[0], 2),
        "rss_mb": round(few[1]),
        "rss_per_pair_mb": round((many[1] - few[1]) / (len(PAIRS) - 3), 2),
        "ready_40_s": round(many[0], 2),
        **rivals,
    }
    print(json.dumps(figures))


def throughput(rounds: list[dict[str, Load]], other: str, ours: str = "predict") -> float:
    """Answers a second of the forecast, divided by those of another endpoint: the median of the rounds."""
    return round(median(each[ours].a_second / each[other].a_second for each in rounds), 3)


def p99(rounds: list[dict[str, Load]]) -> float:
    """The forecast's 99th percentile, divided by the no-op's: the median of the rounds."""
    return round(median(each["predict"].p99_ms / each["noop"].p99_ms for each in rounds), 2)


def make_site(stack: ExitStack) -> Site:
    """A project with forty published pairs, an exchange and a database."""
    market = SimulatedMarket(42)
    exchange = stack.enter_context(ReplayServer(market, Clock(NOW, speed=0)))
    project = publish(Path(stack.enter_context(tempfile.TemporaryDirectory())), exchange.url)
    for pair in PAIRS:  # A simulated past takes time to make, and none of it is the server's.
        market.series(pair.replace("_", "").upper(), int(NOW.timestamp() * 1000))
    postgres = stack.enter_context(new_server())
    site = Site(project, exchange.url, postgres.url("postgres"))
    command([sys.executable, "-m", "serving.accounts", "migrate"], project, site.variables())
    return site


def publish(project: Path, exchange: str) -> Path:
    """One short run: 90 days, evaluated on two short folds. Its model is copied for every other pair."""
    shutil.copytree(REPOSITORY / "conf/base", project / "conf/base")
    shutil.copy(REPOSITORY / "pyproject.toml", project)
    for name in ("conf/local", "src"):
        (project / name).mkdir()
    parameters = f"--params=exchange_url={exchange},architectures=har,history_days=90,{FOLDS}"
    command([sys.executable, "-m", "kedro", "run", f"--pipeline={PAIRS[0]}", parameters], project, {})
    for pair in PAIRS[1:]:
        copy_models(project / "data/06_models", pair)
    return project


def copy_models(models: Path, pair: str) -> None:
    """What is published for the first pair, under another name."""
    shutil.copytree(models / PAIRS[0], models / pair)
    for record in (models / pair).rglob("*.json"):
        if record.is_file():
            record.write_text(record.read_text().replace(PAIRS[0], pair))


def command(line: list[str], project: Path, variables: dict[str, str]) -> None:
    """Run a command of the project."""
    environment = {**os.environ, "KEDRO_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(REPOSITORY), **variables}
    ended = subprocess.run(line, cwd=project, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.stderr[-3000:])


async def new_tokens(database: str) -> list[str]:
    """A token of a new user for each connection."""
    settings = Settings(database_url=database, registrations=1000, password_memory_kib=8)  # type: ignore[arg-type]
    accounts, names = Accounts(settings), [f"ada-{secrets.token_hex(4)}" for _ in range(CONNECTIONS)]
    try:
        made = [await accounts.register(name, "engine-of-1843", "here") for name in names]
    finally:
        await accounts.close()
    return [str(each.api_token) for each in made]


def compare(site: Site) -> list[dict[str, Load]]:
    """The endpoints in turn, after a round that warms them up."""
    with site.serving(PAIRS[:3], "benchmarks.noop_server") as server:
        server.until_ready(3)
        rounds = [one_round(site, server.port, number) for number in range(ROUNDS + 1)][1:]
    print(f"a plan of {site.monthly_calls:,} calls a month")
    tell(rounds)
    return rounds


def tell(rounds: list[dict[str, Load]]) -> None:
    """A line for each endpoint; the end, where a request has failed."""
    for name in rounds[0]:
        told = [each[name] for each in rounds]
        print(
            f"{name:8}{median(each.a_second for each in told):7.0f} a second, "
            f"p50 {median(each.p50_ms for each in told):.2f} ms, p99 {median(each.p99_ms for each in told):.2f} ms, "
            f"clients busy {max(each.busy for each in told):.0%}, failed {sum(each.failed for each in told)}"
        )
    if any(load.failed for each in rounds for load in each.values()):
        raise SystemExit("requests have failed")


def compare_with_rivals(site: Site) -> dict[str, float]:
    """The same graph behind other servers: all run, and are asked in turn."""
    here = [MLFLOW]
    with ExitStack() as stack:
        server = stack.enter_context(site.serving(PAIRS[:3], "benchmarks.noop_server"))
        server.until_ready(3)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        features = some_features(server)
        ports = {rival.package: _free_port() for rival in here}
        for rival in here:
            stack.enter_context(rival.serving(site.graph, folder / rival.package, ports[rival.package], features))
        tokens = asyncio.run(new_tokens(site.database))
        asked = {
            "predict": (server.port, [request(PATHS["predict"], token) for token in tokens]),
            "infer": (server.port, [infer(features, token) for token in tokens]),
            **{rival.package: (ports[rival.package], [rival.request(features)] * CONNECTIONS) for rival in here},
        }
        rounds = [{name: one_load(*asked[name]) for name in asked} for _ in range(3)]
    print(f"one window of {len(features[0])} hours, beside other servers of the same graph")
    tell(rounds)
    return {f"{ours}_over_{name}": throughput(rounds, name, ours) for name in ports for ours in ("infer", "predict")}


def some_features(server: Serving) -> Numbers:
    """A window of numbers of the shape that the model reads."""
    shape = json.loads(server.ask(f"/v2/models/{PAIRS[0]}") or b"")["inputs"][0]["shape"][1:]
    found: Numbers = np.random.default_rng(42).normal(0, 0.01, (1, *shape)).round(5).tolist()
    return found


def infer(features: Numbers, token: str) -> bytes:
    """The same question, as the Open Inference Protocol puts it."""
    shape = [1, len(features[0]), len(features[0][0])]
    tensor = {"name": "features", "shape": shape, "datatype": "FP32", "data": features}
    return post(f"/v2/models/{PAIRS[0]}/infer", {"inputs": [tensor]}, f"Authorization: Bearer {token}")


def one_round(site: Site, port: int, number: int) -> dict[str, Load]:
    """Every endpoint, each time in the other order."""
    tokens = asyncio.run(new_tokens(site.database))
    order = list(PATHS) if number % 2 else list(reversed(PATHS))
    return {name: one_load(port, [request(PATHS[name], token) for token in tokens]) for name in order}


def one_load(port: int, requests: list[bytes]) -> Load:
    """A moment in which tokens become known and blocks are set aside, and then what is measured."""
    put_under_load(port, requests, WARMING_SECONDS)
    return put_under_load(port, requests, SECONDS)


def request(path: str, token: str) -> bytes:
    """What an ordinary client sends."""
    head = f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n"
    return f"{head}User-Agent: benchmark\r\nContent-Length: 0\r\n\r\n".encode()


def weigh(site: Site, pairs: list[str]) -> tuple[float, float]:
    """Seconds until a server is ready, and its memory then: medians of three starts."""
    found = []
    for _ in range(3):
        with site.serving(pairs) as server:
            seconds = server.until_ready(len(pairs))
            found.append((seconds, server.rss_mb()))
    seconds, memory = (median(each) for each in zip(*found, strict=True))
    print(f"{len(pairs)} pairs: ready after {seconds:.2f} s, {memory:.0f} MB")
    return seconds, memory


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
