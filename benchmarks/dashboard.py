"""The interface in a real browser: how soon the forecast is there, and what a session costs the server.

Two published models, a replay exchange, the API and the interface as they are started in production; the API is warm.
Seconds are the browser's own: from the address to the change of the page that is looked for. The last line is one JSON
object; of several visits it has the median.

- ``first_paint_s``: to the cards, which say price, ranges and record; for a browser that has never been here;
- ``chart_s``: to the chart below them, drawn in full; the same visits;
- ``again_s``, ``again_chart_s``: the same in a new tab of a browser that has been here;
- ``form_s``: to the log-in form, the least that Streamlit does, for a browser that has been here;
- ``change_pair_s``: from the choice of another pair to its cards and its chart, whichever comes last;
- ``server_cpu_s``: seconds of a core that the server works for one visit, however busy the machine is;
- ``first_over_form``, ``again_over_form``: ``first_paint_s`` and ``again_s``, divided by ``form_s``;
- ``session_mb``: by how much the server grows for each of ten open pages more;
- ``server_mb``: the server before them;
- ``load``: of the machine while that was measured, processes that want a core.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser.conftest import InterfaceProcess, chromium
from interface.api_client import ApiClient
from network import free_port
from processes import PASSWORD, published_api

ROUNDS, SESSIONS = 5, 10
WAIT = 60_000
MARKS = """
(() => {
  const wanted = { cards: ".mur-card", chart: ".mur-plot .trace.boxes path", form: "[data-testid=stForm]" };
  window.marks = {};
  new MutationObserver(() => {
    for (const [name, what] of Object.entries(wanted))
      if (!(name in window.marks) && document.querySelector(what)) window.marks[name] = performance.now() / 1000;
  }).observe(document, { childList: true, subtree: true });
})()
"""
CHOOSE = """
async () => {
  const named = () => document.querySelector(".mur-card dd")?.textContent;
  const drawn = () => document.querySelector(".mur-plot").layout?.uirevision;
  const before = [named(), drawn()];
  const begun = performance.now();
  document.querySelector("[role=option]:not([aria-selected=true])").click();
  while (named() === before[0] || drawn() === before[1]) await new Promise(requestAnimationFrame);
  return (performance.now() - begun) / 1000;
}
"""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, published_api(Path(folder) / "project", "eth_usdt") as api:
        interface = InterfaceProcess(Path(folder), free_port(), api.url).start()
        try:
            with chromium() as browser:
                measured = measure(browser, interface, api.url)
        finally:
            interface.stop()
    figures = {name: round(value, 2) for name, value in measured.items()}
    print(json.dumps(figures))


def measure(browser: Any, interface: InterfaceProcess, api_url: str) -> dict[str, float]:
    """All figures."""
    state, url = logged_in(browser, interface, api_url), interface.url
    visit(browser.new_context(storage_state=state), url, "chart")  # Everything is warm from here on.
    first = [visit(browser.new_context(storage_state=state), url, "chart") for _ in range(ROUNDS)]
    known = browser.new_context(storage_state=state)
    visit(known, url, "chart")
    worked = cpu_seconds(interface)
    again = [visit(known, url, "chart") for _ in range(ROUNDS)]
    worked = (cpu_seconds(interface) - worked) / ROUNDS
    stranger = browser.new_context()
    form = [visit(stranger, url, "form") for _ in range(ROUNDS + 1)][1:]
    changed = changes_of_pair(known, url)
    load = os.getloadavg()[0]
    server_mb = settled(lambda: resident_mb(interface))
    for _ in range(SESSIONS):
        visit(known, url, "chart", stay=True)
    grown = (resident_mb(interface) - server_mb) / SESSIONS
    return {
        "first_paint_s": middle(first, "cards"),
        "chart_s": middle(first, "chart"),
        "again_s": middle(again, "cards"),
        "again_chart_s": middle(again, "chart"),
        "form_s": middle(form, "form"),
        "change_pair_s": median(changed),
        "server_cpu_s": worked,
        "first_over_form": middle(first, "cards") / middle(form, "form"),
        "again_over_form": middle(again, "cards") / middle(form, "form"),
        "session_mb": grown,
        "server_mb": server_mb,
        "load": load,
    }


def middle(visits: list[dict[str, float]], what: str) -> float:
    """The median of one mark."""
    return median(each[what] for each in visits)


def logged_in(browser: Any, interface: InterfaceProcess, api_url: str) -> Any:
    """The cookies of a member."""
    client = ApiClient.connect(api_url, 30)
    client.register("ada", PASSWORD)
    context = browser.new_context()
    page = context.new_page()
    page.goto(interface.url)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.locator(".mur-plot .main-svg").first.wait_for(state="attached", timeout=WAIT)
    state = context.storage_state()
    context.close()
    return state


def visit(context: Any, url: str, what: str, *, stay: bool = False) -> dict[str, float]:
    """When there was what, and what came before it: seconds from the address."""
    page = context.new_page()
    page.add_init_script(MARKS)
    page.goto(url, wait_until="commit")
    page.wait_for_function(f"window.marks?.{what}", timeout=WAIT, polling=200)
    marks: dict[str, float] = page.evaluate("window.marks")
    if not stay:
        page.close()
    return marks


def changes_of_pair(context: Any, url: str) -> list[float]:
    """Seconds of some changes to and fro; the first two, for which a call is made, are left out."""
    page = context.new_page()
    page.goto(url)
    page.locator(".mur-plot .main-svg").first.wait_for(state="attached", timeout=WAIT)
    page.wait_for_timeout(3000)
    seconds = [change_pair(page) for _ in range(ROUNDS + 2)]
    page.close()
    return seconds[2:]


def change_pair(page: Any) -> float:
    """Choose the other pair."""
    page.get_by_label("Pair").first.click()
    page.locator("[role=option]").nth(1).wait_for(timeout=WAIT)
    seconds: float = page.evaluate(CHOOSE)
    page.wait_for_timeout(1000)
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
