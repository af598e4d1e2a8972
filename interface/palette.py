"""The colours of all charts, for a light and for a dark ground.

They come from Okabe and Ito 2008, "Color Universal Design", moved so far apart that colour-blind people can tell
them on either ground.
No colour stands alone: falling candles are filled and rising ones hollow, the baseline is dashed, a miss is a cross.
"""

from dataclasses import dataclass
from typing import Literal

Ground = Literal["light", "dark"]


@dataclass(frozen=True)
class Palette:
    """Colours as ``#rrggbb``.

    Attributes:
        ground: Behind everything; what a saved picture has behind it.
        ink: Text and the line of what came true.
        muted: Axes, notes.
        grid: Grid lines, no more than a hint.
        rising: Candles that close above their open.
        falling: Candles that close below it.
        fan: The model's forecast.
        past: Forecasts of the past.
        baseline: The baseline, always dashed.
    """

    ground: str
    ink: str
    muted: str
    grid: str
    rising: str
    falling: str
    fan: str
    past: str
    baseline: str

    @property
    def worse(self) -> str:
        """What is worse than the baseline; ``fan`` is what is better."""
        return self.falling

    @property
    def series(self) -> tuple[str, ...]:
        """For several models side by side."""
        return self.fan, self.falling, self.rising, self.past


LIGHT = Palette(
    ground="#ffffff",
    ink="#1c2733",
    muted="#5b6875",
    grid="#e3e8ed",
    rising="#009e73",
    falling="#d55e00",
    fan="#0064a6",
    past="#8f3a6b",
    baseline="#6b7683",
)
DARK = Palette(
    ground="#12181f",
    ink="#e6ebf0",
    muted="#9aa7b4",
    grid="#2a343f",
    rising="#5fe0ba",
    falling="#e8833f",
    fan="#4a9be0",
    past="#c06a9a",
    baseline="#9aa7b4",
)
_PALETTES: dict[Ground, Palette] = {"light": LIGHT, "dark": DARK}


def palette(ground: Ground) -> Palette:
    """The colours for a ground."""
    return _PALETTES[ground]


def washed(colour: str, opacity: float) -> str:
    """A colour that lets through what lies below it; ``opacity`` from 0 to 1."""
    red, green, blue = channels(colour)
    return f"rgba({red}, {green}, {blue}, {opacity:g})"


def channels(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of ``#rrggbb``, 0 to 255."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue
