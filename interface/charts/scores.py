"""Charts of scores and verdicts. Skill is relative to the baseline, which is the dashed line at zero."""

import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd
from plotly import graph_objects as go

from interface.charts.style import Palette, empty_figure, new_figure, timestamps
from interface.formatting import NBSP, count, in_percent, model_label, p_value, percent, utc
from make_us_rich.backtest.score_table import ALL, ANY, INTERVALS
from make_us_rich.domain.evaluation import BinScores, ChallengerResult
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.model_card import ModelCard

_HOURS = [1, 6, 12, 18, 24]
_SKILL = f"skill against the baseline,{NBSP}%"
_DASHES = ("solid", "dot", "dashdot")
_MIN_COLOUR_RANGE = 1.0  # Per cent; noise stays pale.
_TERCILES = {"low": "calm hours", "middle": "usual hours", "high": "wild hours"}
_SYMBOLS = {50: "circle", 80: "square", 90: "diamond"}


def fold_figure(card: ModelCard, palette: Palette) -> go.Figure:
    """Skill by fold as bars, oldest first."""
    if not card.folds:
        return empty_figure(palette, "Too few candles for folds")
    figure = new_figure(palette, 300, xaxis_title="fold that begins on", yaxis_title=_SKILL, showlegend=False)
    texts = []
    for fold in card.folds:
        skill = "unknown" if fold.crps_skill is None else percent(fold.crps_skill, signed=True)
        span = f"fold {fold.fold}, {fold.first:%Y-%m-%d} to {fold.last:%Y-%m-%d} UTC"
        texts.append(f"{span}<br>skill {skill}<br>{count(fold.windows, 'forecast')}")
    skills = [round(100 * (fold.crps_skill or 0.0), 3) for fold in card.folds]
    figure.add_bar(
        x=[f"{fold.first.day} {fold.first:%b}" for fold in card.folds],
        y=skills,
        marker={"color": _colours_by_sign(skills, palette)},
        hoverinfo="text",
        hovertext=texts,
    )
    figure.update_xaxes(showgrid=False, tickangle=0, tickfont_size=10, type="category")
    return figure.add_hline(0, line=_baseline(palette))


def fold_horizon_figure(scores: pd.DataFrame, architecture: str, palette: Palette) -> go.Figure:
    """Skill of one architecture as a heat map of folds and horizons; the colour of the baseline is the background's.

    ``scores`` is the frame of ``make_us_rich.backtest.score_table.score_backtest``.
    """
    rows = _rows(scores, "architecture == @architecture and fold != @ALL and horizon != @ALL", architecture)
    if rows.empty:
        return empty_figure(palette, f"No folds of {architecture} in the newest run")
    table = rows.pivot_table(index="horizon", columns="fold", values="crps_skill")
    values = 100 * table.to_numpy()
    end = max(_MIN_COLOUR_RANGE, float(abs(values).max()))
    figure = new_figure(palette, 340, xaxis_title="fold, oldest first", yaxis_title="hours ahead")
    figure.add_heatmap(
        x=[str(fold) for fold in table.columns],
        y=table.index.tolist(),
        z=values.round(2),
        zmin=-end,
        zmax=end,
        colorscale=[[0, palette.falling], [0.5, palette.background], [1, palette.fan]],
        colorbar={"thickness": 10, "title": {"text": NBSP + "%"}, "outlinewidth": 0},
        xgap=2,
        hovertemplate=f"fold %{{x}}, %{{y}}{NBSP}h ahead: %{{z:+.1f}}{NBSP}%<extra></extra>",
    )
    figure.update_xaxes(type="category", showgrid=False)
    return figure.update_yaxes(tickvals=_HOURS, showgrid=False)


def horizon_figure(scores: pd.DataFrame, palette: Palette) -> go.Figure:
    """Skill of each model of the newest run by horizon."""
    rows = _rows(scores, "fold == @ALL and volatility == @ANY and horizon != @ALL and architecture != @BASELINE")
    if rows.empty:
        return empty_figure(palette, "No scores yet")
    return skill_figure(rows.pivot_table(index="horizon", columns="architecture", values="crps_skill"), palette)


def skill_figure(skills: pd.DataFrame, palette: Palette) -> go.Figure:
    """Skill by hours ahead, the index, with a line for each column."""
    if skills.isna().all(axis=None):
        return empty_figure(palette, "Too few forecasts")
    figure = new_figure(palette, 340, xaxis_title="hours ahead", yaxis_title=_SKILL, hovermode="x unified")
    for number, (name, values) in enumerate(skills.items()):
        colour, dash = palette.series[number % len(palette.series)], _DASHES[number % len(_DASHES)]
        figure.add_scatter(
            x=skills.index.tolist(),
            y=[in_percent(None if pd.isna(value) else value, 2) for value in values],
            name=str(name),
            mode="lines",
            line={"width": 2, "color": colour, "dash": dash},
            hovertemplate=f"%{{y:+.1f}}{NBSP}%",
        )
    return figure.update_xaxes(tickvals=_HOURS).add_hline(0, line=_baseline(palette))


def challenger_figure(challengers: Sequence[ChallengerResult], palette: Palette) -> go.Figure:
    """Skill and p-value of each challenger; refused ones are hollow."""
    tested = [each for each in challengers if each.skill is not None][::-1]
    if not tested:
        return empty_figure(palette, "No challenger could be evaluated")
    skills = [round(100 * (each.skill or 0.0), 3) for each in tested]
    tests = ["" if each.p is None else f", {p_value(each.p)}" for each in tested]
    edges = _colours_by_sign(skills, palette)
    filled = [edge if each.verdict.publish else palette.background for edge, each in zip(edges, tested, strict=True)]
    height = 90 + 56 * len(tested)
    figure = new_figure(palette, height, xaxis_title=_SKILL, showlegend=False, margin_b=48, yaxis_showgrid=False)
    figure.add_bar(
        x=skills,
        y=[model_label(each.architecture) for each in tested],
        orientation="h",
        width=0.5,
        marker={"color": filled, "line": {"color": edges, "width": 2}},
        text=[f"{percent(skill / 100, signed=True)}{test}" for skill, test in zip(skills, tests, strict=True)],
        textposition="outside",
        textfont={"color": palette.ink},
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure.update_xaxes(range=[min(0.0, *skills) * 1.2, max(0.5, *skills) * 1.75])
    return figure.add_vline(0, line=_baseline(palette))


def coverage_figure(card: ModelCard, palette: Palette) -> go.Figure:
    """Coverage of the 50, 80 and 90 % intervals by volatility; dotted lines are the target coverage."""
    if not card.volatilities:
        return empty_figure(palette, "Too few candles for folds")
    figure = new_figure(palette, 340, yaxis_title=f"outcomes within,{NBSP}%", hovermode="x unified")
    for target in sorted(INTERVALS, reverse=True):
        figure.add_hline(target, line={"color": palette.muted, "width": 1, "dash": "dot"}, layer="below")
        # The baseline's hollow markers lie below the model's.
        styles = ("baseline", "baseline", "dash", "-open", palette.baseline), ("model", "own", "solid", "", palette.fan)
        for name, scores, dash, shape, colour in styles:
            figure.add_scatter(
                x=[_TERCILES[row.volatility] for row in card.volatilities],
                y=[in_percent(getattr(getattr(row, scores), f"coverage_{target}")) for row in card.volatilities],
                name=name,
                legendgroup=name,
                showlegend=target == max(INTERVALS),
                mode="lines+markers",
                line={"color": colour, "width": 1.5, "dash": dash},
                marker={"size": 9, "symbol": f"{_SYMBOLS[target]}{shape}", "color": colour},
                hovertemplate=f"{name}: %{{y:.1f}}{NBSP}% within the {target}{NBSP}% interval<extra></extra>",
                meta=target,
            )
    figure.update_yaxes(tickvals=[*INTERVALS, 100], range=[40, 100], showgrid=False)
    return figure.update_xaxes(showgrid=False)


def reliability_figure(bins: Mapping[int, Sequence[BinScores]], palette: Palette) -> go.Figure:
    """What was said of an event against how often it happened, by hours; larger discs are of more forecasts."""
    if not any(bins.values()):
        return empty_figure(palette, "Too few forecasts")
    titles = {"xaxis_title": f"said,{NBSP}%", "yaxis_title": f"happened,{NBSP}%"}
    figure = new_figure(palette, 340, **titles, hovermode="closest")
    figure.add_scatter(x=[0, 100], y=[0, 100], mode="lines", line=_baseline(palette), name="as said", hoverinfo="skip")
    largest = max(of.outcomes for each in bins.values() for of in each)
    for number, (hours, each) in enumerate(bins.items()):
        colour, name = palette.series[number], f"{hours}{NBSP}h"
        figure.add_scatter(
            x=[in_percent(of.said) for of in each],
            y=[in_percent(of.happened) for of in each],
            name=name,
            mode="lines+markers",
            line={"width": 1.5, "color": colour, "dash": _DASHES[number]},
            marker={"color": colour, "size": [5 + 11 * (of.outcomes / largest) ** 0.5 for of in each]},
            hoverinfo="text",
            hovertext=[
                f"{name}: said {percent(of.said)}, happened {percent(of.happened)}<br>{count(of.outcomes, 'forecast')}"
                for of in each
            ],
        )
    return figure


def verdict_figure(verdicts: pd.DataFrame, palette: Palette) -> go.Figure:
    """Verdicts over time by skill: a disc for a published challenger, a cross for a refused one.

    ``verdicts`` is the frame of ``interface.catalog_reader.verdicts``.
    """
    if verdicts.empty:
        return empty_figure(palette, "No verdict yet")
    figure = new_figure(palette, 320, yaxis_title=_SKILL, hovermode="closest")
    for number, (architecture, rows) in enumerate(verdicts.groupby("architecture")):
        colour, name = palette.series[number % len(palette.series)], model_label(str(architecture))
        published, texts = rows["published"], []
        for each in rows.to_dict("records"):
            verdict = "published" if each["published"] else "not published"
            skill = "" if pd.isna(each["skill"]) else f", skill {percent(each['skill'], signed=True)}"
            reason = "<br>".join(textwrap.wrap(each["reason"], 60))
            texts.append(f"<b>{name}: {verdict}</b>{skill}<br>{utc(each['at'])}<br>{reason}")
        figure.add_scatter(
            x=timestamps(rows["at"]),
            y=[in_percent(skill) for skill in rows["skill"].fillna(0.0)],
            name=name,
            mode="markers",
            marker={
                "color": colour,
                "size": published.map({True: 13, False: 9}).tolist(),
                "symbol": published.map({True: "circle", False: "x-thin"}).tolist(),
                "line": {"width": published.map({True: 1, False: 2.5}).tolist(), "color": colour},
            },
            hoverinfo="text",
            hovertext=texts,
            hoverlabel={"align": "left", "bordercolor": colour, "font": {"color": palette.ink}},
        )
    figure.add_hline(0, line=_baseline(palette), layer="below")
    return figure.update_xaxes(type="date", hoverformat="%d %b %Y, %H:%M UTC")


def _rows(scores: pd.DataFrame, condition: str, architecture: str = "") -> pd.DataFrame:
    names = {"ALL": ALL, "ANY": ANY, "BASELINE": BASELINE, "architecture": architecture}
    return scores if scores.empty else scores.query(condition, local_dict=names)


def _baseline(palette: Palette) -> dict[str, object]:
    return {"color": palette.baseline, "width": 1.5, "dash": "dash"}


def _colours_by_sign(skills: Sequence[float], palette: Palette) -> list[str]:
    return [palette.fan if skill >= 0 else palette.falling for skill in skills]
