"""Coverage: the share of outcomes within the intervals, beside what was promised."""

from collections.abc import Iterator

from plotly import graph_objects as go

from interface.charts.canvas import canvas, nothing
from interface.numbers import THIN
from interface.palette import Palette
from make_us_rich.domain.card import AtVolatility, ModelCard, Scores
from make_us_rich.evaluation.table import INTERVALS

_TERCILES = {"low": "calm hours", "middle": "usual hours", "high": "wild hours"}
_SYMBOLS = {50: "circle", 80: "square", 90: "diamond"}


def coverage_by_volatility(card: ModelCard, palette: Palette) -> go.Figure:
    """Share within the 50, 80 and 90 % intervals in calm, usual and wild hours; dotted lines are the promise."""
    if not card.volatilities:
        return nothing(palette, "Too few candles for folds")
    figure = canvas(palette, 340, yaxis_title=f"outcomes within,{THIN}%", hovermode="x unified")
    for nominal in sorted(INTERVALS, reverse=True):
        figure.add_hline(nominal, line={"color": palette.muted, "width": 1, "dash": "dot"}, layer="below")
        figure.add_traces(list(_covered(card.volatilities, nominal, palette)))
    figure.update_yaxes(tickvals=[*INTERVALS, 100], range=[40, 100], showgrid=False)
    return figure.update_xaxes(showgrid=False)


def _covered(rows: tuple[AtVolatility, ...], nominal: int, palette: Palette) -> Iterator[go.Scatter]:
    """The baseline's mark, then the model's above it."""
    terciles = [_TERCILES[row.volatility] for row in rows]
    for name, scores in (("baseline", [row.baseline for row in rows]), ("model", [row.own for row in rows])):
        hollow = name == "baseline"
        colour = palette.baseline if hollow else palette.fan
        yield go.Scatter(
            x=terciles,
            y=[_share(each, nominal) for each in scores],
            name=name,
            legendgroup=name,
            showlegend=nominal == max(INTERVALS),
            mode="lines+markers",
            line={"color": colour, "width": 1.5, "dash": "dash" if hollow else "solid"},
            marker={"size": 9, "symbol": f"{_SYMBOLS[nominal]}{'-open' if hollow else ''}", "color": colour},
            hovertemplate=f"{name}: %{{y:.1f}}{THIN}% within the {nominal}{THIN}% interval<extra></extra>",
            meta=nominal,
        )


def _share(scores: Scores, nominal: int) -> float | None:
    share = {50: scores.coverage_50, 80: scores.coverage_80, 90: scores.coverage_90}[nominal]
    return None if share is None else round(100 * share, 2)
