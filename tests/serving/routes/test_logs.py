"""Log lines: JSON, with the request's id, and without secrets."""

import json
import logging

import pytest

from serving.logs import JsonFormatter, PlainFormatter, request_id, without_secrets


@pytest.mark.parametrize(
    ("text", "kept", "secret"),
    [
        ("cannot reach postgresql://app:hunter2@db/accounts", "@db/accounts", "hunter2"),
        ("GET /api/v1/predict?currency=btc&token=abcdefgh&x=1", "&x=1", "abcdefgh"),
        ("revoked mur_Zk3o8QmS4aB2nXv7cD1eE5Yb1l0gPz0WQy6QmCk1H9m", "revoked", "mur_Zk3o8QmS"),
        ("login mul_Zk3o8QmS4aB2nXv7cD1eE5Yb1l0gPz0WQy6QmCk1H9m ended", "ended", "mul_Zk3o8QmS"),
        ("Authorization: Bearer opensesame42", "Authorization", "opensesame42"),
        ("password=hunter2, again", "again", "hunter2"),
    ],
)
def test_secrets_are_left_out(text: str, kept: str, secret: str) -> None:
    assert kept in without_secrets(text)
    assert secret not in without_secrets(text)


def record(**fields: object) -> logging.LogRecord:
    made = logging.LogRecord("serving.access", logging.INFO, __file__, 1, "asked %s", ("twice",), None)
    made.fields = fields
    return made


def test_a_line_is_one_json_object() -> None:
    token = request_id.set("42")
    line = json.loads(JsonFormatter().format(record(status=200)))
    request_id.reset(token)

    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "serving.access",
        "message": "asked twice",
        "request_id": "42",
        "status": 200,
    }


def test_a_plain_line_has_the_same_fields() -> None:
    assert PlainFormatter("%(levelname)s %(message)s").format(record(status=200)) == "INFO asked twice status=200"
