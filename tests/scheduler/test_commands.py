"""Variables of ``.env``, by the rules of compose, and signals."""

import os
import signal
from pathlib import Path

import pytest

from make_us_rich.domain.errors import ParameterError
from make_us_rich.scheduler.commands import exit_on_signals, load_env_file

REPO = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_the_documented_examples_are_read_as_compose_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    example = (REPO / ".env.example").read_text().splitlines()
    commented = [line.removeprefix("#   ") for line in example if line.startswith("#   ")]
    others = ["EMPTY=", "COMMENTED=value # a comment", "COMMAND=$(touch called)`touch called`", "OURS=of the file"]
    (tmp_path / ".env").write_bytes(f"\ufeff{end.join([*example, *commented, *others])}".encode())
    environment = {"OURS": "of the environment"}
    monkeypatch.setattr(os, "environ", environment)

    load_env_file(tmp_path)

    assert environment["MAKE_US_RICH_ALERT_URLS"] == "discord://id/token mailto://user:pass@example.com"
    assert environment["AWS_SECRET_ACCESS_KEY"] == "se$cret&with#signs"
    assert environment["PGADMIN_PASSWORD"] == "it's quoted"
    assert environment["POSTGRES_USER"] == "make_us_rich"
    assert [environment[line.split("=")[0]] for line in others] == [
        "",
        "value",
        "$(touch called)`touch called`",
        "of the environment",
    ]


def test_no_file_is_no_error_and_another_encoding_is_named(tmp_path: Path) -> None:
    load_env_file(tmp_path)
    (tmp_path / ".env").write_text("X=1\n", encoding="utf-16")

    with pytest.raises(ParameterError, match=r"\.env is not encoded as UTF-8; save it as UTF-8"):
        load_env_file(tmp_path)


@pytest.mark.usefixtures("signal_handlers")
def test_a_closed_terminal_ends_the_job_except_under_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    exit_on_signals()
    signal.raise_signal(signal.SIGHUP)

    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    exit_on_signals()
    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(signal.SIGHUP)

    assert ended.value.code == 128 + signal.SIGHUP
