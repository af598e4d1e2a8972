"""What an operator may set about the interface, as variables of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from make_us_rich.domain.errors import ParameterError

PREFIX = "MAKE_US_RICH_"
_LAST_PORT = 65_535


@dataclass(frozen=True)
class Settings:
    """Where the interface listens and where the API is.

    Attributes:
        api_url: Where the interface asks.
        public_api_url: Where users ask, for the code that they copy.
        host: Address to listen on.
        port: Port to listen on.
    """

    api_url: str
    public_api_url: str
    host: str
    port: int

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """The settings of this process.

        Raises:
            ParameterError: A port that is none, or an address without http.
        """
        api_url = _address(environment, "API_URL", "http://127.0.0.1:8000")
        return cls(
            api_url=api_url,
            public_api_url=_address(environment, "PUBLIC_API_URL", api_url),
            host=environment.get(f"{PREFIX}INTERFACE_HOST", "127.0.0.1"),
            port=_port(environment.get(f"{PREFIX}INTERFACE_PORT", "8501")),
        )


def _address(environment: Mapping[str, str], name: str, default: str) -> str:
    address = (environment.get(f"{PREFIX}{name}") or default).rstrip("/")
    if not address.startswith(("http://", "https://")):
        raise ParameterError(f"{PREFIX}{name}: {address} is no address; write http://127.0.0.1:8000")
    return address


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _LAST_PORT:
        raise ParameterError(f"{PREFIX}INTERFACE_PORT: {text} is no port; write a number from 1 to {_LAST_PORT}")
    return int(text)
