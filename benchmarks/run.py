"""The whole path with the baseline: from the start of the process to a published champion.

A year of simulated candles comes from a replay exchange on this machine. The reference, in the same run, is what
Kedro takes to start with its plugins and do nothing. The last line is one JSON object:

- ``run_s``, ``second_run_s``: seconds of the first and the second ``kedro run --pipeline=btc_usdt``;
- ``run_over_start``: ``run_s`` divided by the seconds of ``kedro registry list``;
- ``klines_calls``, ``second_klines_calls``: what each asked the exchange for;
- ``torch_imported``: whether a run of the baseline imports torch or Lightning;
- ``peak_mb``: the largest memory of the run.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from make_us_rich.repository import ModelRepository

REPOSITORY = Path(__file__).resolve().parents[1]
START = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, ReplayServer(SimulatedMarket(42), Clock(START, speed=0)) as exchange:
        project = make_project(Path(folder))
        run = ["run", "--pipeline=btc_usdt", f"--params=exchange_url={exchange.url}"]
        start_s, _ = kedro(project, ["registry", "list"])
        run_s, _ = kedro(project, run)
        first = klines_calls(exchange)
        exchange.clock.advance(timedelta(hours=1))
        second_run_s, _ = kedro(project, run)
        second = klines_calls(exchange) - first
        imports = import_times(kedro(project, run, PYTHONPROFILEIMPORTTIME="1")[1])
        champion = ModelRepository.open("base", project).model("btc_usdt")
        figures = {
            "run_s": round(run_s, 2),
            "second_run_s": round(second_run_s, 2),
            "run_over_start": round(run_s / start_s, 2),
            "klines_calls": first,
            "second_klines_calls": second,
            "torch_imported": any(name.split(".")[0] in ("torch", "pytorch_lightning") for name in imports),
            "peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        }
    print(f"Kedro starts and does nothing: {start_s:.2f} s")
    print(f"A year of candles to a champion ({champion.manifest.architecture}): {run_s:.2f} s, {first} klines calls")
    print(f"An hour later: {second_run_s:.2f} s, {second} klines call")
    print("The slowest imports, seconds with all that they import:")
    for name, seconds in slowest(imports):
        print(f"  {seconds:5.2f}  {name}")
    print(json.dumps(figures))


def make_project(folder: Path) -> Path:
    """The project's configuration with an empty store."""
    for name in ("conf", "pyproject.toml"):
        source = REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / "src").mkdir()
    return folder


def kedro(project: Path, arguments: list[str], **variables: str) -> tuple[float, str]:
    """Run a command; its seconds, and what it wrote to standard error."""
    environment = {**os.environ, "KEDRO_DISABLE_TELEMETRY": "1", **variables}
    command = [sys.executable, "-m", "kedro", *arguments]
    started = time.perf_counter()
    answer = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if answer.returncode:
        raise SystemExit(answer.stderr[-3000:])
    return seconds, answer.stderr


def children_cpu() -> float:
    """Seconds that the commands which have ended have computed."""
    times = os.times()
    return times.children_user + times.children_system


def import_times(errors: str) -> dict[str, float]:
    """Seconds of every import, with all that it imports, by module."""
    return dict(filter(None, map(imported, errors.splitlines())))


def imported(line: str) -> tuple[str, float] | None:
    """Module and cumulative seconds in a line of ``-X importtime``."""
    if not line.startswith("import time:") or line.endswith("imported package"):
        return None
    _, cumulative, name = line.removeprefix("import time:").split("|")
    return name.strip(), int(cumulative) / 1e6


def slowest(imports: dict[str, float], count: int = 12) -> list[tuple[str, float]]:
    """Top-level packages by the seconds of their import."""
    packages = {name: seconds for name, seconds in imports.items() if "." not in name}
    return sorted(packages.items(), key=lambda item: -item[1])[:count]


def klines_calls(exchange: ReplayServer) -> int:
    """How often candles were asked for so far."""
    return sum(path.endswith("/klines") for path, _ in exchange.requests)


if __name__ == "__main__":
    main()
