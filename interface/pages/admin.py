"""The page Admin: users, plans, models, runs and alerts. Only the selected section makes requests."""

from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import streamlit as st

from interface import error_views, layout, session, ui
from interface.formatting import count, duration, pair_label, utc
from interface.layout import apply
from make_us_rich.alerts import read_alerts
from make_us_rich.client import ApiError, schemas
from make_us_rich.domain.errors import MakeUsRichError

_MAX_NOTIFICATIONS = 25
_PAGE_SIZE = 10
_FROM_SETTINGS = "limit of the API's settings"
_MAX_LIMIT = 2_000_000_000
_MINUTE = "%Y-%m-%d %H:%M"


def show() -> None:
    """The page; members see whom to ask."""
    layout.header("Admin", "Users and their limits, the models that are served, and runs.")
    if not session.user().is_admin:
        error_views.show(error_views.of_error(ApiError("only admins may see this page", status=403)))
        return
    sections = {
        "Users": _show_users,
        "Plans": _show_plans,
        "Models": _show_models,
        "Runs and alerts": _show_runs_and_alerts,
    }
    names = list(sections)
    chosen = st.segmented_control("Section", names, default="Users", required=True, label_visibility="collapsed")
    sections[chosen or "Users"]()


def _show_users() -> None:
    total = session.client().call("GET", "/admin/consumption", schemas.Consumption)
    calls, verb = count(total.used, "call"), "has" if total.users == 1 else "have"
    st.caption(f"{count(total.users, 'user')} {verb} made {calls} this month.")
    search = st.text_input("Find a user", placeholder="Part of a name", key="user_search").strip()
    cursors = st.session_state.setdefault(f"user pages of {search}", [""])
    params = {"search": search, "after": cursors[-1], "size": _PAGE_SIZE}
    found = session.client().call("GET", "/admin/users", schemas.UserPage, params=params)
    if not found.users:
        ui.notice("No user found.", "Search for another part of the name.", "calm")
        return
    rows = [[each.name, ", ".join(each.roles), f"{each.used:,}", f"{each.limit:,}"] for each in found.users]
    ui.table("Users", ["Name", "Roles", "Calls used", "Calls a month"], rows, numbers_from=2)
    if len(cursors) > 1 or found.next_after is not None:
        with st.container(horizontal=True):
            st.button("Previous page", disabled=len(cursors) == 1, on_click=cursors.pop)
            st.button("Next page", disabled=found.next_after is None, on_click=cursors.append, args=(found.next_after,))
    with st.container(border=True):
        _show_user_form(found.users)


def _show_user_form(users: list[schemas.Usage]) -> None:
    st.subheader("Change a user")
    by_name = {each.name: each for each in users}
    user = by_name[st.selectbox("User", list(by_name))]
    name, path = user.name, f"/admin/users/{user.name}"
    left, right = st.columns(2, gap="medium")
    with left, st.form(f"roles-{name}", border=False):
        roles = ["admin", "member"] if st.checkbox("Is an admin", value=user.is_admin) else ["member"]
        if st.form_submit_button("Save the roles"):
            apply(f"The roles of {name} are saved.", "PUT", f"{path}/roles", json={"roles": roles})
    with right, st.form(f"limit-{name}", border=False):
        limit = st.number_input("Calls a month for this user alone", 0, _MAX_LIMIT, user.limit, 1)
        with st.container(horizontal=True):
            if st.form_submit_button("Save the limit"):
                apply(f"The limit of {name} is saved.", "PUT", f"{path}/limit", json={"monthly_limit": limit})
            if st.form_submit_button("Use the plan"):
                apply(f"{name} has the limit of the plan.", "PUT", f"{path}/limit", json={"monthly_limit": None})
    with st.container(horizontal=True):
        if st.button("End all logins", key=f"end-{name}"):
            apply(f"All logins of {name} are ended.", "DELETE", f"{path}/logins")
        if st.button("Make a link for a new password", key=f"reset-{name}"):
            _show_reset_link(name)
        if st.button("Revoke the API token", key=f"revoke-{name}"):
            apply(f"The API token of {name} is revoked.", "DELETE", f"{path}/tokens")


@st.dialog("Link for a new password")
def _show_reset_link(name: str) -> None:
    with error_views.errors_shown():
        offered = session.client().call("POST", f"/admin/users/{name}/password-reset", schemas.PasswordReset)
        st.markdown("Send it over a channel that only this user reads. It is good once and for a day.")
        origin = urlsplit(st.context.url or "")._replace(query="", fragment="").geturl().removesuffix("/admin")
        st.code(f"{origin}/account?reset={offered.reset_token}", language=None, wrap_lines=True)


def _show_plans() -> None:
    st.caption("A user's own limit takes precedence over those of the roles, of which the largest counts.")
    plans = session.client().call("GET", "/admin/roles", list[schemas.Plan])
    rows = [[each.role, _FROM_SETTINGS if each.monthly_limit is None else f"{each.monthly_limit:,}"] for each in plans]
    ui.table("Plans", ["Role", "Calls a month"], rows, numbers_from=1)
    for column, plan in zip(st.columns(len(plans), gap="small"), plans, strict=True):
        with column, st.form(f"plan-{plan.role}"):
            path, label = f"/admin/roles/{plan.role}/limit", f"Calls a month for each {plan.role}"
            limit = st.number_input(label, 0, _MAX_LIMIT, plan.monthly_limit, 1, placeholder=_FROM_SETTINGS)
            with st.container(horizontal=True):
                if st.form_submit_button("Save"):
                    apply(f"The limit of each {plan.role} is saved.", "PUT", path, json={"monthly_limit": limit})
                if st.form_submit_button("Use the settings"):
                    message = f"The limit of each {plan.role} is that of the API's settings."
                    apply(message, "PUT", path, json={"monthly_limit": None})


def _show_models() -> None:
    """What is served for each pair, and three ways to change it."""
    served = session.client().pairs()
    if served.as_of:
        ui.notice(f"The champions of {served.as_of:%d %B %Y} are served.", "Serve today's below to return to them.")
    rows = [
        [each.pair, each.architecture, each.version, each.issued_at and f"{each.issued_at:{_MINUTE}}", each.problem]
        for each in served.pairs
    ]
    ui.table("Models", ["Pair", "Architecture", "Version", "Newest forecast (UTC)", "Problem"], rows)
    left, right = st.columns(2, gap="small")
    with left.container(border=True, height="stretch"):
        _show_loading(served)
    with right.container(border=True, height="stretch"):
        _show_rollback([each.pair for each in served.pairs])


def _show_loading(served: schemas.Pairs) -> None:
    st.subheader("Load the newest")
    st.caption("New champions are loaded within a minute in any case.")
    if st.button("Load the newest champions now"):
        apply("The newest champions are loaded.", "PUT", "/update_models")
    st.subheader("Serve an earlier date")
    today = datetime.now(UTC).date()
    day = st.date_input("As of the end of (UTC)", value=today, max_value=today, format="YYYY-MM-DD")
    with st.container(horizontal=True):
        if st.button("Serve that day's"):
            apply("The champions of that day are served.", "PUT", "/update_date", params={"date": day.isoformat()})
        if st.button("Serve today's", disabled=served.as_of is None):
            apply("Today's champions are served.", "PUT", "/update_date")


def _show_rollback(pairs: list[str]) -> None:
    st.subheader("Make an earlier version the champion")
    st.caption(
        "For two weeks, unless configured otherwise, only a significantly better model replaces it. The change is in"
        " the store, so that all API processes follow."
    )
    pair = st.selectbox("Pair", pairs)
    versions = session.client().call("GET", f"/admin/pairs/{pair}/champion", schemas.ChampionVersions)
    labels = {each.version: f"{each.version}, champion since {utc(each.at)}" for each in versions.earlier}
    if not labels:
        ui.notice("There is no earlier champion.", "The first one is served.", "calm")
        return
    version = st.selectbox("Version", list(labels), format_func=labels.__getitem__)
    if st.button("Make it the champion"):
        _confirm_rollback(pair, version, versions.version)


@st.dialog("Make an earlier version the champion?")
def _confirm_rollback(pair: str, version: str, replaced: str | None) -> None:
    label = pair_label(pair)
    st.text(f"{label} will be forecast by version {version} instead of {replaced}, for all users.")
    if st.button("Yes, make it the champion", type="primary"):
        message = f"{label}: version {version} is the champion."
        apply(message, "PUT", f"/admin/pairs/{pair}/champion", params={"version": version})


def _show_runs_and_alerts() -> None:
    """Whether the API is ready, open alerts, and the last runs."""
    readiness = session.client().call("GET", "/readyz", schemas.Readiness, accept=HTTPStatus.SERVICE_UNAVAILABLE)
    if readiness.ready and not readiness.degraded:
        ui.notice("The API is ready.", "Models, candles and accounts are up to date.", "calm")
    for reason in readiness.reasons:
        ui.notice("The API is not ready:", reason, "stop")
    for each in readiness.degraded:
        ui.notice("The API serves an older state:", each)
    _show_alerts()
    _show_runs()


def _show_alerts() -> None:
    st.subheader("Alerts")
    try:
        state = read_alerts(session.settings().env)
    except MakeUsRichError as error:
        ui.notice("The alerts cannot be read.", str(error), "stop")
        return
    if state.open:
        rows = [[f"{each.since:{_MINUTE}}", each.alert.subject, each.alert.text] for each in state.open.values()]
        ui.table("Open alerts", ["Since (UTC)", "Subject", "Problem"], rows)
    if state.notifications:
        newest = reversed(state.notifications[-_MAX_NOTIFICATIONS:])
        rows = [[f"{each.at:{_MINUTE}}", each.event, each.text] for each in newest]
        ui.table("Notifications", ["Sent (UTC)", "Event", "Text"], rows)
    if not state.open and not state.notifications:
        ui.notice("No alerts yet.", "The command kedro check looks for problems and sends alerts.", "calm")


def _show_runs() -> None:
    st.subheader("Last runs")
    recent = session.client().call("GET", "/admin/runs", schemas.RecentRuns)
    for problem in recent.problems:
        ui.notice("A run log cannot be read.", problem, "stop")
    rows = []
    for run in recent.runs:
        result = "ok" if run.ok else "failed"
        if run.missed:
            result += f", made up for {count(run.missed, 'missed hour')}"
        rows.append([f"{run.ended:{_MINUTE}}", run.pipeline, result, duration(run.ended - run.started), run.reason])
    if rows:
        ui.table("Last runs", ["Ended (UTC)", "Pipeline", "Result", "Duration", "Last message"], rows)
    elif not recent.problems:
        ui.notice("No hourly run yet.", "The command kedro hourly runs what is due; cron starts it.", "calm")
