"""Tables as HTML: plain for whoever listens, aligned for whoever looks, text always escaped."""

from collections.abc import Sequence

import streamlit as st

from interface.markup import fill


def show(caption: str, heads: Sequence[str], rows: Sequence[Sequence[object]], numbers_from: int = 99) -> None:
    """A table; on a phone each row is a card.

    Args:
        caption: What it is, for whoever cannot see it.
        heads: Names of the columns.
        rows: Texts, one for each column.
        numbers_from: From this column on there are numbers, aligned on the right.
    """
    kinds = ["mur-number" if column >= numbers_from else "" for column in range(len(heads))]
    head = "".join(
        fill('<th scope="col" class="{kind}">{name}</th>', kind=kind, name=name)
        for kind, name in zip(kinds, heads, strict=True)
    )
    body = "".join(f"<tr>{_cells(heads, row, kinds)}</tr>" for row in rows)
    caption = fill("<caption>{caption}</caption>", caption=caption)
    table = f'<table class="mur-table">{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    st.html(f'<div class="mur-scroll">{table}</div>')


def _cells(heads: Sequence[str], row: Sequence[object], kinds: Sequence[str]) -> str:
    return "".join(
        fill(
            '<td class="{kind}" data-head="{head}">{text}</td>',
            kind=kind,
            head=head,
            text="–" if text in (None, "") else text,
        )
        for head, text, kind in zip(heads, row, kinds, strict=True)
    )
