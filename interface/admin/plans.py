"""Plans: the calls a month that come with each role."""

import streamlit as st

from interface import session, tables
from interface.api_answers import Plan
from interface.done import do


def show() -> None:
    """What each role gives, and a form for each."""
    st.caption("A user's own limit goes before those of the roles, of which the largest counts.")
    plans = session.client().plans()
    rows = [
        [plan.role, "as the API's settings say" if plan.monthly_limit is None else f"{plan.monthly_limit:,}"]
        for plan in plans
    ]
    tables.show("Plans", ["Role", "Calls a month"], rows, numbers_from=1)
    for column, plan in zip(st.columns(len(plans), gap="small"), plans, strict=True):
        with column:
            _form(plan)


def _form(plan: Plan) -> None:
    with st.form(f"plan-{plan.role}"):
        limit = st.number_input(
            f"Calls a month for each {plan.role}",
            min_value=0,
            max_value=2_000_000_000,
            value=plan.monthly_limit,
            step=1,
            placeholder="as the API's settings say",
        )
        with st.container(horizontal=True):
            if st.form_submit_button("Save"):
                do(lambda: session.client().set_plan(plan.role, limit), f"The plan of each {plan.role} is saved.")
            if st.form_submit_button("As the settings say"):
                do(lambda: session.client().set_plan(plan.role, None), f"The settings hold for each {plan.role}.")
