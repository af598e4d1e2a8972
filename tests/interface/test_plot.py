"""The part of Plotly that charts are drawn with, as it reaches a browser."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.testclient import TestClient

from interface import plot

FILE = Path(plot.__file__).with_name("vendored") / f"{plot.LIBRARY}.gz"
CHECKSUM = "9993f6d57ffd52d7417a9e89b666679ff69078e7c2816b43ab9ecdea9fa4709d"
"""SHA-256 of plotly-finance.min.js in the npm package plotly.js-finance-dist-min 4.1.0."""


def test_it_is_the_file_that_was_published() -> None:
    published = gzip.decompress(FILE.read_bytes())
    assert hashlib.sha256(published).hexdigest() == CHECKSUM
    assert b"Licensed under the MIT license" in published[:300]


def test_a_browser_gets_it_packed_and_may_keep_it(asking: Callable[..., TestClient]) -> None:
    answer = asking(Starlette(routes=plot.ROUTES)).get(f"/{plot.ADDRESS}")
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert hashlib.sha256(answer.content).hexdigest() == CHECKSUM
