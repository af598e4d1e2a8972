"""The public record of each pair, and its badge: what was forecast and what happened, without a token."""

import asyncio
from datetime import timedelta
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

from fastapi import APIRouter, Response

from make_us_rich.client.record import PairRecord, PublicRecord
from serving.dependencies import ForecastsDep, PairDep
from serving.errors import answers
from serving.forecasts.service import ForecastService

router = APIRouter(tags=["record"])

CACHED = {"Cache-Control": "public, max-age=300"}
MAX_AGE = timedelta(hours=3)
"""The badge of an older record shows no figure."""
BADGE_DAYS = 30

_BADGE = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img">\
<title>{label}: {text}</title><rect width="{width}" height="20" fill="#555"/>\
<rect x="{left}" width="{right}" height="20" fill="{colour}"/>\
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">\
<text x="6" y="14" textLength="{label_length}">{label}</text>\
<text x="{text_at}" y="14" textLength="{text_length}">{text}</text></g></svg>
"""


@router.get(
    "/record",
    summary="Show the record of every pair",
    response_class=Response,
    responses={200: {"model": PublicRecord}},
)
async def show_records(service: ForecastsDep) -> Response:
    """By pair and horizon, over each window of days: coverage, skill, reliability, and every missed hour."""
    bodies = [await asyncio.to_thread(service.public_record.body, pair) for pair in service.pairs]
    return Response(b'{"pairs":[' + b",".join(bodies) + b"]}", headers=CACHED, media_type="application/json")


@router.get(
    "/record/{pair}",
    summary="Show the record of a pair",
    response_class=Response,
    responses={200: {"model": PairRecord}, **answers(404, 422)},
)
async def show_record(pair: PairDep, service: ForecastsDep) -> Response:
    """By horizon, over each window of days: coverage, skill, reliability, and every missed hour."""
    body = await asyncio.to_thread(service.public_record.body, pair)
    return Response(body, headers=CACHED, media_type="application/json")


@router.get(
    "/record/{pair}/badge.svg",
    summary="Show the record of a pair as a badge",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {}}, "description": "The picture"}, **answers(404, 422)},
)
async def show_badge(pair: PairDep, service: ForecastsDep) -> Response:
    """How often the 80 % interval has held the close in the window nearest 30 days, as an SVG picture to embed."""
    simulated = service.public_record.is_simulated(pair)
    label = pair.upper().replace("_", "/") + (" (simulated)" if simulated else "")
    return Response(render_badge(label, _held(service, pair), simulated), headers=CACHED, media_type="image/svg+xml")


def _held(service: ForecastService, pair: str) -> str:
    """What the badge says."""
    scores = service.history.scores.get(pair)
    windows = scores.served if scores else ()
    window = min(windows, key=lambda each: abs(each.days - BADGE_DAYS), default=None)
    if scores is None or window is None:
        return "no record yet"
    if service.candles.now() - scores.at > MAX_AGE:
        return f"no record since {scores.at:%Y-%m-%d}"
    if (share := window.overall.coverage_80) is None:
        return f"too few outcomes, {window.days} d"
    return f"80 % interval held {100 * share:.0f} %, {window.days} d"


def render_badge(label: str, text: str, simulated: bool) -> str:
    """An SVG picture of two texts, which may have any letters; that of a simulated market is grey."""
    lengths = [13 * sum(1 + (east_asian_width(letter) in "FW") for letter in part) // 2 for part in (label, text)]
    left, right = (length + 12 for length in lengths)
    label, text = escape(label), escape(text)
    return _BADGE.format(
        width=left + right,
        left=left,
        right=right,
        colour="#777" if simulated else "#0072b2",
        label=label,
        text=text,
        label_length=lengths[0],
        text_at=left + 6,
        text_length=lengths[1],
    )
