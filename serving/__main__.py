"""The command ``python -m serving``: the API in the foreground, until SIGINT or SIGTERM."""

import serving.lean  # noqa: F401, I001  # Before all others.

import socket
import sys

import uvicorn
from fastapi import FastAPI

from make_us_rich.domain.errors import MakeUsRichError
from serving.app import create_app
from serving.logs import configure_logs
from serving.settings import Settings

_SWITCH_SECONDS = 0.0005
"""After so long a thread that works lets the event loop go on, so that no request waits for another's database."""


class Server(uvicorn.Server):
    """Ends open streams before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wake those who wait for a forecast, and end."""
        self._app.state.announcer.close()
        await super().shutdown(sockets)


def main() -> int:
    """Serve; returns the exit code: 2 where a setting or the configuration is wrong, else that of ``serve``."""
    try:
        settings = Settings.read()
        configure_logs(settings.log_format)
        app = create_app(settings)
    except MakeUsRichError as error:
        sys.stderr.write(f"python -m serving: {error}\n")
        return 2
    return serve(app, settings)


def serve(app: FastAPI, settings: Settings) -> int:
    """Listen and answer; returns the exit code: 0, or 1 where it could not start."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    server = Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_seconds,
        ),
        app,
    )
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
