"""The command ``python -m interface``: the interface in the foreground, until SIGINT or SIGTERM."""

import logging
import socket
import sys

import uvicorn

from interface.app import create_app
from interface.settings import Settings
from make_us_rich.domain.errors import MakeUsRichError, ParameterError


def main() -> int:
    """Serve; returns the exit code: 0, or 2 where a setting is wrong or the port is taken."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("httpx", "kedro"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        settings = Settings.read()
        listening = _listen(settings)
    except MakeUsRichError as error:
        sys.stderr.write(f"python -m interface: {error}\n")
        return 2
    config = uvicorn.Config(
        create_app(), log_config=None, access_log=False, ws="websockets-sansio", server_header=False
    )
    config.timeout_graceful_shutdown = 2  # Pages hold their connections open for as long as they are looked at.
    server = uvicorn.Server(config)
    with listening:
        server.run([listening])
    return 0 if server.started else 1


def _listen(settings: Settings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port), backlog=128)
    except OSError as exc:
        raise ParameterError(
            f"{settings.host}:{settings.port} cannot be listened on ({exc.strerror});"
            " end what is there, or set MAKE_US_RICH_INTERFACE_PORT to another port"
        ) from exc


if __name__ == "__main__":
    sys.exit(main())
