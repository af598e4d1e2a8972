"""Many pairs: time, memory and cost by their number and by the pairs side by side.

A replay exchange with a simulated market, in this process, gives 540 days of candles to each pair; ``har`` is
trained, evaluated in eight folds, converted and published by ``kedro run --pipeline=all`` in an empty project. The
reference, in the same run, is ``kedro run --pipeline=btc_usdt`` in another. The last line is one JSON object, of the
last number of pairs:

- ``pairs``, ``workers``, ``published``;
- ``seconds``: from the start of the command to its end; ``cpu_seconds``: computed by the pairs' processes;
- ``peak_rss_mb``: the most memory of all its processes together, what they share counted once (PSS);
- ``pair_over_single``: seconds a pair, divided by those of the reference;
- ``start_s``: seconds computed to the first node of one pair where so many are registered;
- ``cluster_over_local``: with ``--cluster``, pairs a second on a Dask cluster of as many workers on this machine,
  divided by those of the pairs side by side.
"""

import argparse
import contextlib
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from benchmarks.cluster import cluster
from benchmarks.run import REPOSITORY, children_cpu, make_project
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from make_us_rich.replay.simulated import pair_names

START = datetime(2026, 1, 1, tzinfo=UTC)
OUT = REPOSITORY / "benchmarks" / "out"
"""What can be compared between machines, and is kept."""
REFERENCE_PAIR = "btc_usdt"


@dataclass(frozen=True)
class Measured:
    """One command."""

    seconds: float
    cpu_seconds: float
    peak_mb: int
    output: str


@dataclass(frozen=True)
class Figures:
    """What came out for a number of pairs."""

    pairs: int
    workers: int
    published: int
    seconds: float
    cpu_seconds: float
    peak_rss_mb: int
    pair_over_single: float
    cpu_over_single: float
    memory_over_single: float
    start_s: float
    start_over_one: float
    cluster_over_local: float | None = None


def main() -> None:
    """Measure, write and print."""
    asked = arguments()
    with ReplayServer(SimulatedMarket(42), Clock(START, speed=0)) as exchange, tempfile.TemporaryDirectory() as folder:
        alone = project_of(Path(folder) / "one", 1)
        single, first_s = measure(alone, exchange.url, REFERENCE_PAIR), start_of(alone, exchange.url)
        print(f"one pair by itself: {single.seconds:.1f} s, {single.cpu_seconds:.1f} s computed, {single.peak_mb} MB")
        rows = []
        for pairs, workers in product(asked.pairs, asked.workers):
            project = project_of(Path(folder) / f"{pairs}_{workers}", pairs)
            row = figures(project, exchange.url, (pairs, workers), single, first_s)
            print(f"{pairs} pairs, {workers} side by side: {row.seconds:.1f} s, {row.peak_rss_mb} MB")
            if asked.cluster:
                done = on_cluster(project_of(Path(folder) / f"{pairs}_{workers}_cluster", pairs), exchange.url, workers)
                row = replace(row, cluster_over_local=round(row.seconds / done.seconds, 2))
                print(f"on a Dask cluster: {done.seconds:.1f} s, {done.peak_mb} MB with its scheduler and workers")
            rows.append(row)
    write_report(rows)
    print(json.dumps(asdict(rows[-1])))


def arguments() -> argparse.Namespace:
    """What is to be measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, nargs="+", default=[40])
    parser.add_argument("--workers", type=int, nargs="+", default=[len(os.sched_getaffinity(0))])
    parser.add_argument("--cluster", action="store_true", help="on a Dask cluster of as many workers, too")
    return parser.parse_args()


def project_of(folder: Path, pairs: int) -> Path:
    """An empty project that is configured for so many pairs."""
    folder.mkdir()
    project = make_project(folder)
    (project / "conf" / "local").mkdir(exist_ok=True)
    named = "".join(f"  - {name}\n" for name in pair_names(pairs))
    (project / "conf" / "local" / "parameters.yml").write_text(f"pairs:\n{named}")
    return project


def figures(project: Path, url: str, size: tuple[int, int], single: Measured, first_s: float) -> Figures:
    """Run all pairs of a project, then begin one of them again."""
    pairs, workers = size
    done = measure(project, url, "all", f",running.workers={workers}")
    started = start_of(project, url)
    told = re.search(r"^(\d+) pairs, (\d+) published; (\d+) s of CPU", done.output, re.MULTILINE)
    assert told, done.output
    cpu_seconds = float(told[3])
    return Figures(
        pairs=pairs,
        workers=workers,
        published=int(told[2]),
        seconds=round(done.seconds, 1),
        cpu_seconds=cpu_seconds,
        peak_rss_mb=done.peak_mb,
        pair_over_single=round(done.seconds / pairs / single.seconds, 3),
        cpu_over_single=round(cpu_seconds / pairs / single.cpu_seconds, 3),
        memory_over_single=round(done.peak_mb / single.peak_mb, 2),
        start_s=round(started, 2),
        start_over_one=round(started / first_s, 2),
    )


def on_cluster(project: Path, url: str, workers: int) -> Measured:
    """Run all pairs of a project on a cluster that is up."""
    with cluster(project, workers) as (address, _):
        runner = "--runner=make_us_rich.runners.DaskRunner"
        return measure(project, url, "all", f",running.scheduler={address}", runner)


def measure(project: Path, url: str, pipeline: str, more: str = "", *options: str) -> Measured:
    """A whole run."""
    begun, before = time.perf_counter(), children_cpu()
    with kedro(project, url, pipeline, more, *options) as process, watched(project) as peak:
        output, errors = process.communicate()
    if process.returncode:
        raise SystemExit(errors[-3000:])
    return Measured(time.perf_counter() - begun, children_cpu() - before, max(peak), output)


def start_of(project: Path, url: str) -> float:
    """Seconds that a process computes to the first node of one pair; those that pass say more of what else runs."""
    with kedro(project, url, REFERENCE_PAIR) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "hooks.run: 1/" in line)
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        process.kill()
        process.communicate()
    return seconds


def kedro(project: Path, url: str, pipeline: str, more: str = "", *options: str) -> "subprocess.Popen[str]":
    """Start a run."""
    parameters = f"--params=architectures=har,exchange_url={url}{more}"
    return subprocess.Popen(
        [sys.executable, "-m", "kedro", "run", f"--pipeline={pipeline}", parameters, *options],
        cwd=project,
        env={**os.environ, "KEDRO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[list[int]]:
    """The memory, MB, of all processes that stand in a folder, every two seconds: a look takes 40 ms."""
    done, seen = threading.Event(), [0]

    def watch() -> None:
        while not done.wait(2):
            seen.append(sum(memory_kb(process) for process in processes_in(folder)) // 1024)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def processes_in(folder: Path) -> list[Path]:
    """The processes that stand in a folder (proc(5))."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It has ended, or is somebody else's.
            if (process / "cwd").resolve() == folder.resolve():
                found.append(process)
    return found


def memory_kb(process: Path) -> int:
    """A process's share of the memory: what several have in common is divided among them."""
    with contextlib.suppress(OSError):
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def write_report(rows: list[Figures]) -> None:
    """Write a table and a figure into a folder that git ignores."""
    OUT.mkdir(exist_ok=True)
    with (OUT / "pairs.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, asdict(rows[0]))
        table.writeheader()
        table.writerows(map(asdict, rows))
    draw(rows)


def draw(rows: list[Figures]) -> None:
    """Seconds a pair, and memory, by the number of pairs; a line for each number side by side."""
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=1, cols=2, subplot_titles=("seconds a pair", "MB in all"))
    for workers in sorted({row.workers for row in rows}):
        of = sorted((row for row in rows if row.workers == workers), key=lambda row: row.pairs)
        pairs = [row.pairs for row in of]
        for column, values in enumerate(([row.seconds / row.pairs for row in of], [row.peak_rss_mb for row in of]), 1):
            line = Scatter(x=pairs, y=values, name=f"{workers} side by side", showlegend=column == 1)
            figure.add_trace(line, row=1, col=column)
    figure.update_xaxes(type="log", title="pairs")
    figure.write_html(OUT / "pairs.html", include_plotlyjs=True)


if __name__ == "__main__":
    main()
