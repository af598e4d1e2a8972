"""What the page Forecast asks for at once, and how it is answered."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from streamlit.file_util import get_static_dir

from interface import early, plot
from interface.cookie import NAME

STATIC = Path(get_static_dir())


@pytest.fixture
def client(asking: Callable[..., TestClient]) -> TestClient:
    """Ours, with nothing of Streamlit's behind it."""
    return asking(Starlette(routes=early.ROUTES, middleware=[Middleware(early.FromMemory)]))


def test_a_script_is_streamlits_packed_and_may_be_kept(client: TestClient) -> None:
    address = next(each for each in early.packed() if "/index." in each and each.endswith(".js"))
    answer = client.get(address)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cache-control"] == "public, immutable, max-age=31536000"
    assert answer.content == (STATIC / address[1:]).read_bytes()


def test_who_cannot_unpack_is_left_to_streamlit(client: TestClient) -> None:
    address = next(iter(early.packed()))
    assert client.get(address, headers={"Accept-Encoding": "identity"}).status_code == 404


def test_all_that_streamlits_page_names_is_kept() -> None:
    named = [each for each in early.packed() if each.lstrip("/") in early.index()]
    assert len(named) >= early.index().count('rel="modulepreload"')
    assert all(gzip.decompress(early.packed()[each].body) for each in named)


def test_what_the_page_is_made_of_is_found_in_this_release_of_streamlit() -> None:
    found = {name.split(".")[0] for name in early.later()}
    assert {"Html", "Button", "Selectbox", "ButtonGroup", "BidiComponent"} <= found
    assert all((STATIC / "static" / "js" / name).is_file() for name in early.later())


def test_whoever_has_a_login_is_named_all_of_it_and_the_form_none(client: TestClient) -> None:
    form = client.get("/").text
    assert form == early.index()
    client.cookies.set(NAME, "mul_something")
    page = client.get("/").text
    assert all(f'rel="modulepreload" crossorigin href="./static/js/{name}"' in page for name in early.later())
    assert plot.ADDRESS in page
    assert client.get("/").headers["cache-control"] == "no-cache"


def test_the_address_that_the_page_has_in_no_menu_leads_to_it(client: TestClient) -> None:
    answer = client.get("/forecast?pair=eth_usdt", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "./?pair=eth_usdt")
