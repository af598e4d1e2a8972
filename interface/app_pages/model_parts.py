"""What the parts of the page about models share."""

from typing import Any

import streamlit as st
from plotly.graph_objects import Figure

from interface import markup, mlflow_links, plot
from interface.numbers import percent

TEST = "One-sided Diebold-Mariano test against the baseline"


def chart(title: str, figure: Figure, name: str) -> None:
    """A chart under its title, with a button that saves it."""
    st.subheader(title, anchor=False)
    plot.show(figure, name, name, title)


def link(version: str) -> None:
    """To a run in MLflow, or how to open it."""
    url = mlflow_links.mlflow_url()
    if url:
        st.link_button("This run in MLflow", mlflow_links.run_link(url, version), icon=":material/open_in_new:")
        return
    markup.show(
        '<p class="mur-hint">Its run is in MLflow, tagged <code>version = {version}</code>: open it with'
        " <code>kedro mlflow ui</code>.</p>",
        version=version,
    )


def number(label: str, form: str, about: str) -> Any:
    """A column of numbers, aligned at the right."""
    return st.column_config.NumberColumn(label, format=form, help=about)


def hundred(share: float | None) -> float | None:
    """A share as per cent."""
    return None if share is None else 100 * share


def gained(share: float | None, digits: int) -> float | None:
    """A skill as per cent, rounded; a loss that rounds to nothing is nothing, not minus nothing."""
    return None if share is None else round(100 * share, digits) + 0.0


def signed(share: float | None) -> str:
    """A skill, or a dash where there is none."""
    return "–" if share is None else percent(share, signed=True)
