"""Codes of errors."""

from http import HTTPStatus

import pytest
from starlette.exceptions import HTTPException

from serving.errors import answers, to_serving_error

RENAMED = {413: "request_entity_too_large", 422: "unprocessable_entity"}


@pytest.mark.parametrize("name", ["as before Python 3.13", "CONTENT"])
@pytest.mark.parametrize("status", RENAMED)
def test_the_code_of_a_status_is_the_same_in_every_release_of_python(
    status: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "CONTENT":
        monkeypatch.setattr(HTTPStatus(status), "_name_", name)
        monkeypatch.setattr(HTTPStatus(status), "phrase", name.title())
    error = to_serving_error(HTTPException(status))

    assert (error.code, error.status) == (RENAMED[status], status)
    assert error.message == answers(status)[status]["description"] == RENAMED[status].replace("_", " ").title()
