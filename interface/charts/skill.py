"""Skill: how much of the baseline's error is gone. The baseline is zero, on every axis and in every colour scale."""

from collections.abc import Sequence

import pandas as pd
from plotly import graph_objects as go

from interface.charts.canvas import canvas, nothing, stamps
from interface.numbers import THIN, percent, probability
from interface.palette import Palette
from interface.words import member_names
from make_us_rich.domain.card import ModelCard, OnFold
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.judgement import Judged
from make_us_rich.evaluation.table import ALL, ANY

_HOURS = [1, 6, 12, 18, 24]
_SKILL = f"better than the baseline,{THIN}%"
_DASHES = ("solid", "dot", "dashdot")
_LEAST = 1.0
"""Per cent; a scale of colours ends no nearer to zero than this, so that noise is pale."""


def skill_by_fold(card: ModelCard, palette: Palette) -> go.Figure:
    """A bar a fold, oldest first; those below zero are where the baseline was better."""
    if not card.folds:
        return nothing(palette, "Too few candles for folds")
    figure = canvas(palette, 300, xaxis_title="fold that begins on", yaxis_title=_SKILL, showlegend=False)
    skills = [_per_cent(fold.crps_skill) for fold in card.folds]
    figure.add_bar(
        x=[f"{fold.first.day} {fold.first:%b}" for fold in card.folds],
        y=skills,
        marker={"color": _signs(skills, palette)},
        hoverinfo="text",
        hovertext=[_on_fold(fold) for fold in card.folds],
    )
    figure.update_xaxes(showgrid=False, tickangle=0, tickfont_size=10, type="category")
    return _from_zero(figure, palette)


def skill_by_fold_and_horizon(scores: pd.DataFrame, architecture: str, palette: Palette) -> go.Figure:
    """A heat map, folds across and hours ahead up: blue is better than the baseline, orange worse, nothing is the same.

    Args:
        scores: See ``make_us_rich.evaluation.table.score_walk``.
        architecture: Whose skill.
        palette: Colours.
    """
    table = _table(scores, architecture)
    if table.empty:
        return nothing(palette, f"No folds of {architecture} in the newest run")
    values = 100 * table.to_numpy()
    end = max(_LEAST, float(abs(values).max()))
    figure = canvas(palette, 340, xaxis_title="fold, oldest first", yaxis_title="hours ahead")
    figure.add_heatmap(
        x=[str(fold) for fold in table.columns],
        y=table.index.tolist(),
        z=values.round(2),
        zmin=-end,
        zmax=end,
        colorscale=[[0, palette.worse], [0.5, palette.ground], [1, palette.fan]],
        colorbar={"thickness": 10, "title": {"text": THIN + "%"}, "outlinewidth": 0},
        xgap=2,
        hovertemplate="fold %{x}, %{y}" + THIN + "h ahead: %{z:+.1f}" + THIN + "%<extra></extra>",
    )
    figure.update_xaxes(type="category", showgrid=False)
    return figure.update_yaxes(tickvals=_HOURS, showgrid=False)


def skill_by_horizon(scores: pd.DataFrame, palette: Palette) -> go.Figure:
    """A line a model of the newest run, over the hours ahead; the baseline is the line at zero."""
    whole = _whole(scores)
    if whole.empty:
        return nothing(palette, "No scores yet")
    figure = canvas(palette, 340, xaxis_title="hours ahead", yaxis_title=_SKILL, hovermode="x unified")
    for number, (name, rows) in enumerate(whole.groupby("architecture", sort=True)):
        figure.add_scatter(
            x=rows["horizon"].tolist(),
            y=(100 * rows["crps_skill"]).round(2).tolist(),
            name=str(name),
            mode="lines",
            line={
                "width": 2,
                "color": palette.series[number % len(palette.series)],
                "dash": _DASHES[number % len(_DASHES)],
            },
            hovertemplate="%{y:+.1f}" + THIN + "%",
        )
    figure.update_xaxes(tickvals=_HOURS)
    return _from_zero(figure, palette)


def contest(challengers: Sequence[Judged], palette: Palette) -> go.Figure:
    """A bar a challenger of the newest run: its skill and the p of the test.

    Published ones are filled; refused ones are hollow.
    """
    judged = [each for each in challengers if each.skill is not None][::-1]
    if not judged:
        return nothing(palette, "No challenger could be judged")
    figure = canvas(palette, 90 + 56 * len(judged), xaxis_title=_SKILL, showlegend=False, margin_b=48)
    figure.add_trace(_contestants(judged, palette))
    skills = [_per_cent(each.skill) for each in judged]
    figure.update_yaxes(showgrid=False)
    figure.update_xaxes(range=[min(0.0, *skills) * 1.2, max(0.5, *skills) * 1.75])
    return _from_zero(figure, palette, vertical=True)


def _contestants(judged: Sequence[Judged], palette: Palette) -> go.Bar:
    skills = [_per_cent(each.skill) for each in judged]
    edges = _signs(skills, palette)
    filled = [c if each.verdict.publish else palette.ground for c, each in zip(edges, judged, strict=True)]
    return go.Bar(
        x=skills,
        y=[member_names(each.architecture) for each in judged],
        orientation="h",
        width=0.5,
        marker={"color": filled, "line": {"color": edges, "width": 2}},
        text=[_figures(each) for each in judged],
        textposition="outside",
        textfont={"color": palette.ink},
        cliponaxis=False,
        hoverinfo="skip",
    )


def _table(scores: pd.DataFrame, architecture: str) -> pd.DataFrame:
    """Skill of one architecture, ``[horizon, fold]``."""
    if scores.empty:
        return pd.DataFrame()
    chosen = scores[(scores["architecture"] == architecture) & (scores["fold"] != ALL) & (scores["horizon"] != ALL)]
    return chosen.pivot_table(index="horizon", columns="fold", values="crps_skill")


def _whole(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows over all folds and any volatility, hour by hour, of every model but the baseline."""
    if scores.empty:
        return scores
    everywhere = (scores["fold"] == ALL) & (scores["volatility"] == ANY) & (scores["horizon"] != ALL)
    return scores[everywhere & (scores["architecture"] != BASELINE)]


def _from_zero(figure: go.Figure, palette: Palette, *, vertical: bool = False) -> go.Figure:
    """Draw the baseline, which is zero."""
    line = {"color": palette.baseline, "width": 1.5, "dash": "dash"}
    return figure.add_vline(0, line=line) if vertical else figure.add_hline(0, line=line)


def _signs(skills: Sequence[float], palette: Palette) -> list[str]:
    return [palette.fan if skill >= 0 else palette.worse for skill in skills]


def _per_cent(share: float | None) -> float:
    return round(100 * (share or 0.0), 3)


def _on_fold(fold: OnFold) -> str:
    first, last = (moment[:10] for moment in stamps((fold.first, fold.last)))
    skill = "unknown" if fold.crps_skill is None else percent(fold.crps_skill, signed=True)
    return f"fold {fold.fold}, {first} to {last} UTC<br>skill {skill}<br>{fold.windows:,} forecasts"


def _figures(each: Judged) -> str:
    skill = percent(each.skill or 0.0, signed=True)
    return skill if each.p is None else f"{skill}, {probability(each.p)}"
