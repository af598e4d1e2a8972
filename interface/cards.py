"""Cards: a label, a figure, and what it means."""

from collections.abc import Iterable
from dataclasses import dataclass

from interface import markup
from interface.words import Tone

_CARD = """
<div class="mur-card mur-card-{tone}">
<dt>{label}</dt><dd>{figure} <span>{unit}</span></dd><dd class="mur-note">{note}</dd>
</div>
"""


@dataclass(frozen=True)
class Card:
    """One of them.

    Attributes:
        label: What the figure is.
        figure: A number, or a range.
        unit: Of the figure; empty where it has one.
        note: What it means, in plain words.
        tone: Whether that is good news.
    """

    label: str
    figure: str
    unit: str
    note: str
    tone: Tone = "fair"


def show(cards: Iterable[Card]) -> None:
    """A row of cards, as many in a line as the screen is wide for."""
    markup.show_all('<dl class="mur-cards">', (markup.fill(_CARD, **vars(card)) for card in cards), "</dl>")


def sentences(texts: Iterable[str]) -> None:
    """Sentences below one another."""
    markup.show_all('<ul class="mur-words">', (markup.fill("<li>{text}</li>", text=text) for text in texts), "</ul>")
