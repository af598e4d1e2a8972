"""``python -m make_us_rich.demo``: what ``make demo`` does, on a simulated market and without a network.

It trains and publishes the pairs of the environment ``demo``, prints what is served, then starts the API, registers
a user and asks for forecasts over HTTP. Nothing goes on running.
"""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from omegaconf import OmegaConf

from make_us_rich.client import Client
from make_us_rich.client.api import Call
from make_us_rich.client.schemas import Registration
from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.forecasting import tabulate
from make_us_rich.replay import ReplayServer, SimulatedMarket
from make_us_rich.replay.simulated import pair_names
from make_us_rich.serve import (
    DEMO_GLOBALS,
    PREFIX,
    ServerStoppedError,
    Supervisor,
    api_server,
    stop_on_signals,
)

PAIRS_FILE = Path("conf/demo/parameters_pairs.yml")
"""Written for ``PAIRS=40``, ignored by git, deleted by the next demo without it."""

SHOWN_PAIRS = 3

NEXT_STEPS = """
The market is simulated: these figures say nothing about a real one.

Next, in this folder:
  KEDRO_ENV=demo make serve                          the interface and the API; prints a demo account
  source .venv/bin/activate                          then:
  kedro viz run --env=demo --pipeline=btc_usdt       the pipeline and its data; double-click btc_usdt for its stages
  kedro mlflow ui --env=demo                         the runs and the registered models
  kedro run --pipeline=btc_usdt                      the same on real candles from Binance"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, or only its last part with ``--api-only``; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if "--api-only" not in arguments:
            PAIRS_FILE.unlink(missing_ok=True)
            if count := os.environ.get("PAIRS"):
                PAIRS_FILE.write_text(f"pairs: [{', '.join(pair_names(int(count)))}]\n")
            for command in (("run", "--pipeline=all"), ("champions",)):
                subprocess.run([sys.executable, "-m", "kedro", *command, "--env=demo"], check=True)  # noqa: S603
        with ExitStack() as stack:
            _show_forecasts(stack)
    except MakeUsRichError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        return 130
    return 0


def _show_forecasts(stack: ExitStack) -> None:
    client = _start_api(stack)
    pairs = client.pairs().pairs
    forecast = [each.pair for each in pairs if each.issued_at]
    if not forecast:
        raise MakeUsRichError("; ".join(str(each.problem) for each in pairs))
    credentials = {"name": f"demo-{secrets.token_hex(4)}", "password": secrets.token_urlsafe(16)}
    user = client.call(Call("POST", "/register", Registration, json=credentials))
    client = stack.enter_context(Client(client.url, user.api_token, trust_env=False))
    print(f"\nForecasts from the API, requested by the new user {user.name}; prices in quote currency:")
    for pair in forecast[:SHOWN_PAIRS]:
        found = client.predict(pair).forecast
        print(f"\n{pair}: {found.last_close:g} at {found.issued_at:%Y-%m-%d %H:%M} UTC, {found.architecture}")
        print("\n".join(tabulate(found)))
    usage = client.me()
    print(f"\n{usage.remaining} of {usage.limit} calls remain this month.\n{NEXT_STEPS}")


def _start_api(stack: ExitStack) -> Client:
    """A client of an API that serves a forecast; the stack stops everything that was started for it."""
    seed = OmegaConf.load(DEMO_GLOBALS).replay.seed
    exchange = stack.enter_context(ReplayServer(SimulatedMarket(seed=seed)))
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    log = stack.enter_context((folder / "api.log").open("w+b"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings = {
        "ENV": "demo",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "EXCHANGE_URL": exchange.url,
        "DATABASE_URL": f"sqlite:///{folder}/accounts.db",
    }
    environment = os.environ | {f"{PREFIX}{name}": value for name, value in settings.items()}
    supervisor = Supervisor(environment, stop_on_signals(), log)
    stack.callback(supervisor.stop)
    server = api_server(environment)
    try:
        supervisor.start(server)
        client = stack.enter_context(Client(server.url, trust_env=False))
        supervisor.wait_until(
            lambda: all(each.issued_at or each.problem for each in client.pairs().pairs),
            lambda: "the API has no forecast",
        )
    except ServerStoppedError as error:
        log.seek(0)
        raise ServerStoppedError(f"{error}\n{log.read().decode(errors='replace')}".rstrip()) from error
    if supervisor.stopping.is_set():
        raise KeyboardInterrupt
    return client


if __name__ == "__main__":
    sys.exit(main())
