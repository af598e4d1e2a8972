"""Schemas of alerts: rules of a user, and where a message goes when one of them is met."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from make_us_rich.client.answers import Price
from make_us_rich.client.schemas import Schema, Utc

SCHEMES = ("discord", "mailto", "mailtos", "ntfy", "ntfys", "slack", "tgram")
"""Services of Apprise that a message can be sent through."""
OPTIONS = ("auth", "from", "mode", "name", "pass", "priority", "smtp", "thread", "to", "topic", "user")
"""Options of their addresses; others can name files or further addresses."""

_OPTION = rf"({'|'.join(OPTIONS)})=[^\s?&;]*"
_DESTINATION = re.compile(rf"({'|'.join(SCHEMES)})://[^\s?]+(\?{_OPTION}(&{_OPTION})*)?")


class LeftBand(Schema):
    """The close has left the 80 % band that was forecast for its hour."""

    kind: Literal["left_band"]


class TouchAbove(Schema):
    """The price is touched within some hours with more than a probability."""

    kind: Literal["touch_above"]
    price: Price
    hours: int = Field(ge=1, le=24)
    probability: float = Field(ge=0.005, le=0.99)


class VolatilityAbove(Schema):
    """The volatility of the next 24 hours is above a percentile of the last year's forecasts."""

    kind: Literal["volatility_above"]
    percentile: float = Field(ge=0, lt=100)


class Stale(Schema):
    """The forecast is older than two hours."""

    kind: Literal["stale"]


Rule = Annotated[LeftBand | TouchAbove | VolatilityAbove | Stale, Field(discriminator="kind")]


class NewAlert(Schema):
    """A rule for a pair, and the address of Apprise that its messages go to."""

    pair: str = Field(max_length=64, examples=["btc_usdt"])
    rule: Rule = Field(examples=[{"kind": "touch_above", "price": 70_000, "hours": 24, "probability": 0.3}])
    destination: str = Field(repr=False, max_length=500, examples=["ntfys://ntfy.example.com/topic"])
    """Encrypted where it is stored, and never shown again."""

    @field_validator("destination")
    @classmethod
    def _check_destination(cls, destination: str) -> str:
        if not _DESTINATION.fullmatch(destination):
            raise ValueError(
                f"is no address of Apprise that begins with one of {', '.join(SCHEMES)}, such as ntfys://ntfy.sh/topic,"
                f" and has no options but {', '.join(OPTIONS)}"
            )
        return destination


class Alert(Schema):
    """A rule of a user and its last message."""

    id: str
    pair: str
    rule: Rule
    destination: str
    """The service alone, such as `ntfys://***`."""
    created_at: Utc
    sent_at: Utc | None
    """When the last message was sent; null before the first one."""
    delivered: bool | None
    """Whether the service took it; null while that is not known."""
