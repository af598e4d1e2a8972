"""Log lines of runs: plain, or JSON with their context."""

import json
import logging

import pytest

from make_us_rich.logs import log_json_if_asked


@pytest.mark.parametrize("log_format", ["", "json"])
def test_runs_log_as_the_variable_says(monkeypatch: pytest.MonkeyPatch, log_format: str) -> None:
    record = logging.LogRecord("a.logger", logging.INFO, __file__, 1, "asked %s, token=abc", ("twice",), None)
    record.fields = {"status": 200}
    handler = logging.StreamHandler()
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setenv("LOG_FORMAT", log_format)
    log_json_if_asked(pair=lambda: "btc_usdt")

    line = handler.format(record)
    if not log_format:
        assert line == "asked twice, token=abc"
        return
    expected = {"level": "info", "logger": "a.logger", "message": "asked twice, token=***", "pair": "btc_usdt"}
    assert json.loads(line).items() >= (expected | {"status": 200}).items()
