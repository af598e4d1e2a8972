"""The interface as a process of its own, for tests."""

from pathlib import Path

from server_process import ServerProcess


class InterfaceProcess(ServerProcess):
    """The real server of the interface.

    Args:
        folder: Where its log is written.
        port: To listen on.
        api_url: The API that it asks.
    """

    module = "interface"
    alive = "/_stcore/health"

    def __init__(self, folder: Path, port: int, api_url: str) -> None:
        super().__init__(folder, port, {"API_URL": api_url, "INTERFACE_PORT": str(port)})
