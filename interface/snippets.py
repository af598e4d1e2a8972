"""Code to copy that calls the API; the tests run it."""

from dataclasses import dataclass

_CURL = """\
curl "{url}/api/v1/predict?currency={currency}&compare={compare}" \\
  -H "Authorization: Bearer $MAKE_US_RICH_TOKEN"
"""

_PYTHON = """\
import json
import os
import urllib.request

request = urllib.request.Request(
    "{url}/api/v1/predict?currency={currency}&compare={compare}",
    headers={{"Authorization": "Bearer " + os.environ["MAKE_US_RICH_TOKEN"]}},
)
with urllib.request.urlopen(request) as answer:
    forecast = json.load(answer)["forecast"]
for at, quantiles in zip(forecast["closes_at"], forecast["quantiles"]):
    print(at, dict(zip(forecast["levels"], quantiles)))
"""

_JAVASCRIPT = """\
const answer = await fetch("{url}/api/v1/predict?currency={currency}&compare={compare}", {{
  headers: {{ Authorization: "Bearer " + process.env.MAKE_US_RICH_TOKEN }},
}});
const {{ forecast }} = await answer.json();
forecast.closes_at.forEach((at, hour) => console.log(at, forecast.quantiles[hour]));
"""

ALL = (("curl", _CURL), ("Python", _PYTHON), ("JavaScript", _JAVASCRIPT))
"""Name and text."""


@dataclass(frozen=True)
class Place:
    """What the code asks.

    Attributes:
        url: Of the API, as users reach it.
        pair: Name such as ``btc_usdt``.
    """

    url: str
    pair: str


def fill(text: str, place: Place) -> str:
    """The code for one API and one pair."""
    currency, _, compare = place.pair.partition("_")
    return text.format(url=place.url, currency=currency, compare=compare)
