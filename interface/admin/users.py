"""Users: who there are, what they have used, and what an admin may change about one."""

import streamlit as st

from interface import session, states, tables
from interface.api_answers import Usage
from interface.done import do

_PAGE = 10
_BEGAN_AFTER = "users_began_after"
_SEARCHED = "users_searched"


def show() -> None:
    """The month of everybody, a page of users, and one of them."""
    total = session.client().consumption()
    st.caption(f"{total.users:,} users have made {total.used:,} calls this month.")
    search = st.text_input("Find a user", placeholder="Part of a name", key=_SEARCHED, on_change=_begin)
    began = st.session_state.setdefault(_BEGAN_AFTER, [""])
    found = session.client().users(search.strip(), began[-1], _PAGE)
    if not found.users:
        states.notice("Nobody is found.", "Search for another part of the name.", "calm")
        return
    _table(found.users)
    _pager(found.next_after)
    _one(found.users)


def _table(found: list[Usage]) -> None:
    rows = [[each.name, ", ".join(each.roles), f"{each.used:,}", f"{each.limit:,}"] for each in found]
    tables.show("Users", ["Name", "Roles", "Calls used", "Calls a month"], rows, numbers_from=2)


def _begin() -> None:
    st.session_state[_BEGAN_AFTER] = [""]


def _back() -> None:
    st.session_state[_BEGAN_AFTER].pop()


def _pager(next_after: str | None) -> None:
    began: list[str] = st.session_state[_BEGAN_AFTER]
    if next_after is None and len(began) == 1:
        return
    with st.container(horizontal=True):
        st.button("Earlier names", disabled=len(began) == 1, on_click=_back)
        st.button("Later names", disabled=next_after is None, on_click=began.append, args=(next_after,))


def _one(found: list[Usage]) -> None:
    with st.container(border=True):
        st.subheader("Change a user")
        by_name = {each.name: each for each in found}
        user = by_name[st.selectbox("User", list(by_name))]
        left, right = st.columns(2, gap="medium")
        with left:
            _roles(user)
        with right:
            _limit(user)
        _ends(user)


def _roles(user: Usage) -> None:
    with st.form(f"roles-{user.name}", border=False):
        admin = st.checkbox("Is an admin", value=user.is_admin)
        if st.form_submit_button("Save the roles"):
            wanted = ["admin", "member"] if admin else ["member"]
            do(lambda: session.client().set_roles(user.name, wanted), "The roles are saved.")


def _limit(user: Usage) -> None:
    with st.form(f"limit-{user.name}", border=False):
        limit = st.number_input(
            "Calls a month for this user alone", min_value=0, max_value=2_000_000_000, value=user.limit, step=1
        )
        with st.container(horizontal=True):
            if st.form_submit_button("Save the limit"):
                do(lambda: session.client().set_limit(user.name, limit), "The limit is saved.")
            if st.form_submit_button("As the plan says"):
                do(lambda: session.client().set_limit(user.name, None), "The plan's limit holds.")


def _ends(user: Usage) -> None:
    with st.container(horizontal=True):
        if st.button("End all logins", key=f"end-{user.name}"):
            do(lambda: session.client().close_logins(user.name), "All logins are ended.")
        if st.button("Revoke the API token", key=f"revoke-{user.name}"):
            do(lambda: session.client().revoke_token_of(user.name), "The API token is revoked.")
