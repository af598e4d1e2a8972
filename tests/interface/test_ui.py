"""Text of others is never HTML, every error has a remedy, and the build of Plotly is the published one."""

import hashlib
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from interface import error_views, ui
from make_us_rich.client import ApiError

CHECKSUM = "9993f6d57ffd52d7417a9e89b666679ff69078e7c2816b43ab9ecdea9fa4709d"
"""SHA-256 of plotly-finance.min.js in the npm package plotly.js-finance-dist-min 4.1.0."""


@given(st.text(st.characters(codec="utf-8")))
def test_a_text_opens_no_tag_ends_no_attribute_and_fills_no_field(text: str) -> None:
    filled = ui.fill('<p title="{text}">{text}</p>', text="{" + text)
    assert filled.startswith('<p title="{')
    assert filled.count("<") == 2
    assert filled.count('"') == 2
    assert "'" not in filled


def test_the_published_build_is_served_compressed_and_cached() -> None:
    response = TestClient(Starlette(routes=ui.ROUTES)).get(f"/{ui.PLOTLY}")
    assert response.headers["content-encoding"] == "gzip"
    assert "immutable" in response.headers["cache-control"]
    assert response.headers["content-type"].startswith("text/javascript")
    assert hashlib.sha256(response.content).hexdigest() == CHECKSUM
    assert b"Licensed under the MIT license" in response.content[:300]


def error(status: int | None, code: str = "") -> ApiError:
    made = ApiError("what happened", "what to do", code, status, "8f2c51d000000001")
    made.reset_at, made.limit = datetime(2026, 2, 1, tzinfo=UTC), 1000
    return made


MAY_PASS = [error(None, "unreachable"), error(None, "timeout"), error(503, "no_forecast"), error(503, "other")]
LASTING = [*map(error, (401, 403, 404, 409, 429, 500)), error(401, "wrong_password"), error(429, "quota_exceeded")]


def test_every_error_has_a_title_of_its_own_and_a_remedy_and_is_retried_if_it_may_pass() -> None:
    views = [error_views.of_error(each) for each in MAY_PASS + LASTING]
    assert all(view.text and view.remedy for view in views)
    assert [view.tone == "wait" for view in views] == [True] * len(MAY_PASS) + [False] * len(LASTING)
    assert len({view.title for view in views}) == len(views)
    refused, unexpected = error_views.of_error(error(429, "quota_exceeded")), error_views.of_error(error(500))
    assert "All 1,000 calls" in refused.text
    assert "on 01 February at 00:00 UTC" in refused.remedy
    assert unexpected.detail == "Request 8f2c51d000000001"
