"""Elements that several pages share: escaped HTML, and Plotly charts whose zoom survives new data (ADR 0019)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

import streamlit as st
from plotly.graph_objects import Figure
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from interface.charts.style import DARK, LIGHT, Palette
from interface.formatting import Tone, percent

PLOTLY = "vendored/plotly-finance-4.1.0.min.js"
"""Address of Plotly's own partial build with candlesticks, lines and bars; relative, to work below a proxy's prefix."""

_HERE = Path(__file__).parent
_NOTICE = '<p class="mur-notice mur-{tone}" role="status"><strong>{text}</strong> {remedy}</p>'
_CARD = """
<div class="mur-card mur-card-{tone}">
<dt>{label}</dt><dd>{figure} <span>{unit}</span></dd><dd class="mur-note">{note}</dd>
</div>
"""
_mount_plot = st.components.v2.component("make_us_rich.plot", js=(_HERE / "plot.js").read_text(), isolate_styles=False)


@dataclass(frozen=True)
class Card:
    """A labelled figure: a number or a range with its unit, and an explanation in plain words."""

    label: str
    figure: str
    unit: str = ""
    note: str = ""
    tone: Tone = "fair"  # whether the figure is good news


def skill_card(label: str, skill: float | None, record: str = "") -> Card:
    """A skill score against the baseline in words, and what it was measured on."""
    if skill is None:
        return Card(label, "–", note=f"not measured yet{record}")
    tone: Tone = "good" if skill > 0 else "poor" if skill < 0 else "fair"
    side = "below" if skill > 0 else "above"
    note = f"error {percent(abs(skill))} {side} the baseline's" if skill else "as good as the baseline"
    return Card(label, percent(skill, signed=True), "", f"{note}{record}", tone)


def fill(template: str, **texts: object) -> str:
    """Insert escaped texts into a template."""
    return template.format(**{name: escape(str(text)) for name, text in texts.items()})


def show(template: str, **texts: object) -> None:
    """Show a template with escaped texts."""
    st.html(fill(template, **texts))


def notice(text: str, remedy: str = "", tone: str = "wait") -> None:
    """A line above the content, such as a warning about an old forecast; tones as in ``ErrorView``."""
    show(_NOTICE, tone=tone, text=text, remedy=remedy)


def cards(shown: Iterable[Card]) -> None:
    """A grid of cards."""
    st.html(f'<dl class="mur-cards">{"".join(fill(_CARD, **asdict(card)) for card in shown)}</dl>')


def sentences(texts: Iterable[str]) -> None:
    """A list of sentences."""
    st.html(f'<ul class="mur-words">{"".join(fill("<li>{text}</li>", text=text) for text in texts)}</ul>')


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]], numbers_from: int = 99) -> None:
    """A table; on a phone each row becomes a card.

    Columns from the index ``numbers_from`` on are aligned right; empty values show a dash.
    """
    columns = [(name, "mur-number" if number >= numbers_from else "") for number, name in enumerate(heads)]
    head = "".join(fill('<th scope="col" class="{kind}">{name}</th>', kind=kind, name=name) for name, kind in columns)
    body = ""
    for row in rows:
        body += "<tr>"
        for (name, kind), value in zip(columns, row, strict=True):
            text = "–" if value in (None, "") else value
            body += fill('<td class="{kind}" data-head="{name}">{text}</td>', kind=kind, name=name, text=text)
    title = fill("<caption>{caption}</caption>", caption=caption)
    opening = f'<div class="mur-scroll"><table class="mur-table">{title}<thead><tr>{head}</tr></thead><tbody>'
    st.html(f"{opening}{body}</tbody></table></div>")


def plot(figure: Figure, key: str, name: str, alt: str, on_click: Callable[[], None] | None = None) -> None:
    """Draw candlesticks, lines and bars; a figure that is drawn under its key already is updated and keeps its zoom.

    ``name`` is the file name of the exported picture, ``alt`` the accessible name. After a click, ``on_click`` finds
    its ``x`` and ``y``, in the units of the axes, in ``st.session_state[key].click``.
    """
    picture = {"format": "png", "filename": name, "scale": 2, "width": 1280, "height": 640}
    # The address is resolved in the browser against the page's base, which Streamlit finds below any prefix.
    data = {"figure": figure.to_json(validate=False), "picture": picture, "alt": alt, "library": PLOTLY}
    data["clickable"] = on_click is not None
    _mount_plot(key=key, data=data, height=figure.layout.height, on_click_change=on_click or (lambda: None))


def titled_plot(title: str, figure: Figure, name: str) -> None:
    """A figure below its title; ``name`` is its key and the file name of the exported picture."""
    st.subheader(title, anchor=False)
    plot(figure, name, name, title)


def palette() -> Palette:
    """The colours of the theme that the browser shows; the light ones until it has reported its theme."""
    return DARK if st.context.theme.type == "dark" else LIGHT


async def _plotly(_request: Request) -> FileResponse:
    headers = {"Content-Encoding": "gzip", "Cache-Control": "public, immutable, max-age=31536000"}
    return FileResponse(_HERE / f"{PLOTLY}.gz", media_type="text/javascript", headers=headers)


ROUTES = [Route(f"/{PLOTLY}", _plotly)]
