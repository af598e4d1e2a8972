import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from make_us_rich.hourly.process import run_bounded, said_last

SAYS = (
    "22:50:54 INFO    make_us_rich.pipelines.exporting.nodes: btc_usdt: published version 1 (har)\n"
    "22:50:54 INFO    make_us_rich.hooks.progress: 34/34 btc_usdt.exporting.choose_kept\n"
)


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_it_runs_in_the_folder_and_its_output_is_kept(tmp_path: Path) -> None:
    output = tmp_path / "output"

    ended = run_bounded([sys.executable, "-c", "import os; print(os.getcwd())"], tmp_path, output, 60)

    assert (ended.exit_code, ended.reason) == (0, str(tmp_path))
    assert output.read_text().strip() == str(tmp_path)


def test_the_exit_code_and_the_error_are_told(tmp_path: Path) -> None:
    lines = "import sys; print('Error: btc_usdt: no candles; fetch some', file=sys.stderr); sys.exit(1)"

    ended = run_bounded([sys.executable, "-c", lines], tmp_path, tmp_path / "output", 60)

    assert (ended.exit_code, ended.reason) == (1, "btc_usdt: no candles; fetch some")


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    lines = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "pathlib.Path('child').write_text(str(child.pid))\n"
        "print('fitting', flush=True)\n"
        "time.sleep(600)\n"
    )

    ended = run_bounded([sys.executable, "-c", lines], tmp_path, tmp_path / "output", 3)

    assert ended.exit_code == -signal.SIGTERM
    assert ended.reason == "took longer than 0.05 min and was ended: fitting"
    assert gone(int((tmp_path / "child").read_text()))


def test_what_ends_the_job_ends_the_run_in_progress(tmp_path: Path) -> None:
    lines = (
        "import os, pathlib, signal, sys\n"
        "from make_us_rich.hourly.process import run_bounded\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))\n"
        "run = 'import os, pathlib, time; pathlib.Path(\"run\").write_text(str(os.getpid())); time.sleep(600)'\n"
        "run_bounded([sys.executable, '-c', run], pathlib.Path(), pathlib.Path('output'), 600)\n"
    )
    job = subprocess.Popen([sys.executable, "-c", lines], cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "run").exists() or not (tmp_path / "run").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)

    job.terminate()
    job.wait(timeout=60)

    assert gone(int((tmp_path / "run").read_text()))


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (SAYS, "btc_usdt: published version 1 (har)"),
        (SAYS + "Error: the disk is full; free some space\n", "the disk is full; free some space"),
        (
            "Traceback (most recent call last):\nZeroDivisionError: division by zero\n\n",
            "ZeroDivisionError: division by zero",
        ),
        ("", "nothing was said"),
    ],
)
def test_one_line_says_what_a_run_came_to(output: str, said: str) -> None:
    assert said_last(output) == said
