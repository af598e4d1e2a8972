"""The API with a published model, its users, sample responses, and pages in Streamlit's test harness."""

import json
import re
import secrets
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from interface import catalog_reader, session
from interface.api_client import ApiClient
from make_us_rich.client.schemas import Candles, Fan, Forecast, PastForecast, PastForecasts, Prediction
from processes import NOW, PASSWORD, ApiProcess, make_admin, published_api

with warnings.catch_warnings():
    # It recommends httpx2, which nothing here needs.
    warnings.simplefilter("ignore")
    import starlette.testclient  # noqa: F401

SCRIPT = str(Path(session.__file__).parent / "pages" / "streamlit_app.py")
HOUR = timedelta(hours=1)
LEVELS = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]
SPREADS = [-9.0, -6.0, -2.0, 0.0, 2.0, 6.0, 9.0]


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit's harness replaces the main module; processes of later tests would run its script."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def plain() -> Callable[[str], str]:
    """A text with spaces instead of no-break spaces."""
    return lambda text: text.replace("\u00a0", " ")


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory, store_evaluation: Any) -> Iterator[ApiProcess]:
    """The API as a process, with the records that a run leaves."""
    folder = tmp_path_factory.mktemp("api")
    with published_api(folder, prepare=lambda project: store_evaluation(project, NOW)) as started:
        yield started


@pytest.fixture
def anybody(api: ApiProcess) -> Iterator[ApiClient]:
    """The API without a login."""
    client = ApiClient.connect(api.url, 20)
    with client.http:
        yield client


@pytest.fixture
def name() -> str:
    """A name that is not registered."""
    return f"ada-{secrets.token_hex(4)}"


@pytest.fixture
def member(anybody: ApiClient, name: str) -> ApiClient:
    """The API as a new member."""
    return anybody.as_user(anybody.register(name, PASSWORD).login_token)


@pytest.fixture
def issued(member: ApiClient) -> Forecast:
    """The forecast of btc_usdt, for which the member has made one call."""
    params = {"currency": "btc", "compare": "usdt"}
    return member.call("GET", "/predict", Prediction, params=params).forecast


@pytest.fixture
def admin(member: ApiClient, name: str, api: ApiProcess) -> ApiClient:
    """The API as a new admin."""
    make_admin(api, name)
    return member


class Samples:
    """API responses that are small enough to be computed by hand."""

    first = datetime(2025, 3, 1, tzinfo=UTC)

    def candles(self, hours: int = 48, missing: frozenset[int] = frozenset()) -> Candles:
        """Hourly candles from ``first``, each closing a unit above the last."""
        present = [at for at in range(hours) if at not in missing]
        times, above = [self.first + at * HOUR for at in present], {"open": 0, "high": 2, "low": -1, "close": 1}
        prices = {name: [100.0 + at + more for at in present] for name, more in above.items()}
        return Candles(timestamp=times, **prices, volume=[5.0] * len(present))

    def fan(self, issued_at: datetime, last_close: float, width: float = 1.0) -> Fan:
        """Quantiles whose spread grows by the hour."""
        return Fan(
            closes_at=[issued_at + hour * HOUR for hour in range(1, 25)],
            levels=LEVELS,
            quantiles=[[last_close + width * hour * spread for spread in SPREADS] for hour in range(1, 25)],
        )

    def prediction(self) -> Prediction:
        """The forecast after two days of candles."""
        data, issued_at = self.candles(), self.first + 48 * HOUR
        last = data.close[-1]
        forecast = Forecast.model_construct(
            **dict(self.fan(issued_at, last)),
            issued_at=issued_at,
            last_close=last,
            version="2025-03-01T00.05.00.000Z",
            architecture="har",
            baseline=self.fan(issued_at, last, 1.5),
        )
        return Prediction.model_construct(pair="btc_usdt", simulated=True, data=data, forecast=forecast)

    def past(self) -> PastForecasts:
        """Past forecasts with an 80 % interval of ±6 around 100; the second outcome is outside."""
        quantiles = [100 + spread for spread in SPREADS]
        outcomes = {11: 101.0, 12: 107.0, 13: 101.0, 16: 101.0, 17: 101.0}
        forecasts = [
            PastForecast.model_construct(closes_at=self.first + at * HOUR, quantiles=quantiles, outcome=outcome)
            for at, outcome in outcomes.items()
        ]
        return PastForecasts.model_construct(levels=LEVELS, forecasts=forecasts)


@pytest.fixture(scope="session")
def samples() -> Samples:
    return Samples()


@dataclass
class App:
    """A page or the whole script in Streamlit's test harness."""

    test: AppTest

    @property
    def text(self) -> str:
        """Our HTML, captions and the quota bar as text."""
        assert not self.test.exception, self.test.exception
        elements = [*self.test.get("html"), *self.test.caption, *self.test.markdown]
        html = " ".join(
            [*(each.proto.body for each in elements), *(bar.proto.text for bar in self.test.get("progress"))]
        )
        return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))

    @property
    def figures(self) -> list[dict[str, Any]]:
        """Figures drawn by our component."""
        drawn = [each.proto for each in self.test.get("bidi_component")]
        return [json.loads(json.loads(each.json)["figure"]) for each in drawn if each.component_name.endswith(".plot")]

    def press(self, label: str) -> "App":
        next(button for button in self.test.button if button.label == label).click().run()
        return self

    def log_in(self, name: str, password: str = PASSWORD) -> "App":
        self.test.text_input(key="typed-name").input(name)
        self.test.text_input(key="typed-password").input(password)
        return self.press("Log in")


def _page() -> None:
    import importlib

    import streamlit as st

    from interface import error_views, session

    session.load_user()
    with error_views.errors_shown():
        importlib.import_module(f"interface.pages.{st.session_state['page']}").show()


@pytest.fixture
def forget_caches() -> Iterator[Callable[[], None]]:
    """Forget what the interface has cached, now and at the end."""

    def forget() -> None:
        session.settings.cache_clear()
        catalog_reader.repository.cache_clear()
        st.cache_data.clear()

    forget()
    yield forget
    forget()


@pytest.fixture
def open_app(
    api: ApiProcess, anybody: ApiClient, forget_caches: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., App]:
    """Open a page as the user of a client, or without a page the whole script; keywords are address parameters."""
    monkeypatch.chdir(api.project)
    monkeypatch.setattr(session, "_connections", lambda _url: anybody)
    # The harness has no browser; attempts to log in are limited by address.
    address = f"2001:db8::{secrets.token_hex(2)}"
    for attribute, value in {"ip_address": address, "headers": {}, "cookies": {}}.items():
        monkeypatch.setattr(ContextProxy, attribute, value)
    monkeypatch.setenv("MAKE_US_RICH_API_URL", api.url)

    def run(page: str | None = None, client: ApiClient | None = None, **parameters: str) -> App:
        script = AppTest.from_function(_page) if page else AppTest.from_file(SCRIPT)
        script.default_timeout = 60
        script.session_state["page"] = page
        script.session_state[session.KEY] = session.Session(client.token if client else None)
        script.query_params.update(parameters)
        return App(script.run())

    return run


@pytest.fixture
def opened(open_app: Callable[..., App], member: ApiClient) -> Callable[..., App]:
    """A page as a new member sees it."""
    return lambda page="forecast", **parameters: open_app(page, member, **parameters)
