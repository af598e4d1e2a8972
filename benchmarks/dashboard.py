"""The interface in a real browser: how soon the forecast is there, and what a session costs the server.

A published model, a replay exchange, the API and the interface as they are started in production; the API is warm. The
last line is one JSON object:

- ``first_paint_s``: from the address to the drawn chart, for a browser that has never been here; the median of five;
- ``again_s``: the same in a new tab of a browser that has;
- ``server_cpu_s``: seconds of a core that the server works for one of these, however busy the machine is;
- ``form_s``: to the log-in form, the least that Streamlit does, for a browser that has been here;
- ``session_mb``: by how much the server grows for each of ten open pages more;
- ``server_mb``: the server before them;
- ``load``: of the machine while that was measured, processes that want a core.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from conftest import free_port
from interface.api_client import ApiClient
from interface_process import InterfaceProcess
from published_api import PASSWORD, published_api

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ROUNDS, SESSIONS = 5, 10
WAIT = 60_000
CHART, FORM = ".js-plotly-plot .main-svg", "[data-testid=stForm]"


def main() -> None:
    """Measure and print."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, published_api(Path(folder) / "project") as api:
        interface = InterfaceProcess(Path(folder), free_port(), api.url).start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
                measured = measure(browser, interface, api.url)
        finally:
            interface.stop()
    print(json.dumps({name: round(value, 2) for name, value in measured.items()}))


def measure(browser: Any, interface: InterfaceProcess, api_url: str) -> dict[str, float]:
    """All figures."""
    state = logged_in(browser, interface, api_url)
    visit(browser.new_context(storage_state=state), interface.url, CHART)  # Everything is warm from here on.
    first = [visit(browser.new_context(storage_state=state), interface.url, CHART) for _ in range(ROUNDS)]
    known = browser.new_context(storage_state=state)
    visit(known, interface.url, CHART)
    worked = cpu_seconds(interface)
    again = [visit(known, interface.url, CHART) for _ in range(ROUNDS)]
    worked = (cpu_seconds(interface) - worked) / ROUNDS
    stranger = browser.new_context()
    form = [visit(stranger, interface.url, FORM) for _ in range(ROUNDS + 1)][1:]
    server_mb = settled(lambda: resident_mb(interface))
    for _ in range(SESSIONS):
        visit(known, interface.url, CHART, stay=True)
    grown = (resident_mb(interface) - server_mb) / SESSIONS
    return {
        "first_paint_s": median(first),
        "again_s": median(again),
        "server_cpu_s": worked,
        "form_s": median(form),
        "session_mb": grown,
        "server_mb": server_mb,
        "load": os.getloadavg()[0],
    }


def logged_in(browser: Any, interface: InterfaceProcess, api_url: str) -> Any:
    """The cookies of a member."""
    client = ApiClient.at(api_url, 30)
    client.register("ada", PASSWORD)
    context = browser.new_context()
    page = context.new_page()
    page.goto(interface.url)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.locator(CHART).first.wait_for(state="attached", timeout=WAIT)
    state = context.storage_state()
    context.close()
    return state


def visit(context: Any, url: str, what: str, *, stay: bool = False) -> float:
    """Seconds from the address to what is looked for."""
    page = context.new_page()
    begun = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.locator(what).first.wait_for(state="attached", timeout=WAIT)
    seconds = time.perf_counter() - begun
    if not stay:
        page.close()
    return seconds


def resident_mb(interface: InterfaceProcess) -> float:
    """Memory of the server."""
    assert interface.process is not None
    status = Path(f"/proc/{interface.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def cpu_seconds(interface: InterfaceProcess) -> float:
    """How long the server has had a core."""
    assert interface.process is not None
    fields = Path(f"/proc/{interface.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settled(value: Callable[[], float]) -> float:
    """A value once sessions that are gone have been forgotten, which takes the server a minute."""
    time.sleep(70)
    return value()


if __name__ == "__main__":
    main()
