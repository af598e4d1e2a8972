"""The command: its ready line, its end, and its errors in one line."""

import signal
import subprocess
import sys

import pytest
import requests

from make_us_rich.replay import answers
from make_us_rich.replay.__main__ import main


@pytest.fixture
def command():
    """Start the command; it is ended after the test."""
    started = []

    def start(*arguments):
        line = [sys.executable, "-m", "make_us_rich.replay", "--port", "0", *map(str, arguments)]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process, process.stdout.readline()

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_address_serves_and_ends_cleanly(command, hours_folder, number):
    process, greeting = command("--data", hours_folder, "--now", "2024-02-28T05:00:00Z", "--speed", 0)
    assert greeting.startswith("Replay exchange on http://127.0.0.1:")
    assert "AAAUSDT, BBBUSDT" in greeting
    url = greeting.split()[3]
    assert answers(url, 2)
    assert requests.get(f"{url}/api/v3/time", timeout=5).json() == {"serverTime": 1_709_096_400_000}
    process.send_signal(number)
    assert (process.wait(5), process.stderr.read()) == (0, "")


def test_simulated_market_is_named_and_takes_faults_on_an_ipv6_address(command):
    faults = ("--fault", "451=1", "unclosed=0")
    _, greeting = command("--simulate", "--seed", 3, "--now", "2020-01-01", "--host", "::1", *faults)
    assert greeting.startswith("Replay exchange on http://[::1]:")
    assert "a SIMULATED market (seed 3) at 2020-01-01T00:00:00Z, speed 1" in greeting
    query = {"symbol": "BTCUSDT", "interval": "1h"}
    assert requests.get(f"{greeting.split()[3]}/api/v3/klines", params=query, timeout=5).status_code == 451


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of the arguments --data --simulate is required"),
        (["--data", "nowhere"], "nowhere is not a folder; give the folder that holds the kline files"),
        (["--simulate", "--fault", "fire=1"], "unknown fault 'fire'; choose from latency"),
        (["--simulate", "--fault", "429=2"], "fault 429: rate 2.0 is out of range; give a number from 0 to 1"),
        (["--simulate", "--fault", "429"], "argument --fault: invalid rate value: '429'; see python -m make_us"),
        (["--simulate", "--now", "yesterday"], "argument --now: invalid time value: 'yesterday'; see python"),
        (["--simulate", "--port", "x"], "argument --port: invalid int value: 'x'"),
        (["--simulate", "--speed", "-1"], "speed -1.0 is out of range"),
        (["--simulate", "--latency-seconds", "-1"], "latency_seconds -1.0 is out of range"),
        (["--simulate", "--host", "256.0.0.1", "--port", "0"], "cannot listen on 256.0.0.1 port 0"),
    ],
)
def test_wrong_argument_is_one_line_that_names_it(capsys, arguments, message):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
