"""Settings come from the environment, are explained, and a wrong one is told in words."""

import re
from pathlib import Path

import pytest

from interface.settings import Settings
from make_us_rich.domain.errors import ParameterError

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "interface.md").read_text()


def test_every_setting_is_explained_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `MAKE_US_RICH_(\w+)` \| (.+?) \|", PAGE, re.MULTILINE))
    settings = Settings.read({})

    assert (
        rows.items()
        >= {
            "API_URL": f"`{settings.api_url}`",
            "PUBLIC_API_URL": "as above",
            "INTERFACE_HOST": f"`{settings.host}`",
            "INTERFACE_PORT": f"`{settings.port}`",
        }.items()
    )


def test_users_are_told_the_address_that_they_reach() -> None:
    settings = Settings.read(
        {"MAKE_US_RICH_API_URL": "http://api:8000/", "MAKE_US_RICH_PUBLIC_API_URL": "https://mur.test"}
    )

    assert (settings.api_url, settings.public_api_url) == ("http://api:8000", "https://mur.test")


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "ftp://127.0.0.1"])
def test_an_address_without_http_is_told(address: str) -> None:
    with pytest.raises(ParameterError, match=f"MAKE_US_RICH_API_URL: {address} is no address; write http://"):
        Settings.read({"MAKE_US_RICH_API_URL": address})


@pytest.mark.parametrize("port", ["0", "65536", "many", "-1"])
def test_a_port_that_is_none_is_told(port: str) -> None:
    with pytest.raises(ParameterError, match=f"MAKE_US_RICH_INTERFACE_PORT: {port} is no port"):
        Settings.read({"MAKE_US_RICH_INTERFACE_PORT": port})
