"""What only a script in the browser can do: send the request that sets the cookie, and copy to the clipboard."""

import streamlit as st

from interface.cookie import PATH, TICKET

_ERRAND = """
const done = (window.makeUsRichErrands ??= new Set());
export default function ({ data }) {
  if (!data.ticket || done.has(data.ticket)) return;
  done.add(data.ticket);
  fetch(data.path, { method: data.method, headers: { [data.header]: data.ticket }, credentials: "same-origin" });
}
"""

_COPY_HTML = """
<div class="row"><output tabindex="0"></output><button type="button"></button></div>
"""
_COPY_CSS = """
.row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: stretch; font-family: var(--st-font); }
output {
  flex: 1 1 16rem; min-width: 0; padding: .55rem .75rem; overflow-wrap: anywhere; user-select: all;
  font-family: var(--st-code-font); font-size: .875rem; line-height: 1.5;
  color: var(--st-text-color); background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
}
button {
  flex: 0 0 auto; min-width: 6.5rem; padding: .55rem 1rem; font: inherit; font-weight: 600; cursor: pointer;
  color: var(--st-background-color); background: var(--st-primary-color);
  border: 1px solid var(--st-primary-color); border-radius: var(--st-button-radius);
}
button:focus-visible, output:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
"""
_COPY = """
export default function ({ data, parentElement }) {
  const output = parentElement.querySelector("output");
  const button = parentElement.querySelector("button");
  output.textContent = data.text;
  output.setAttribute("aria-label", data.label);
  button.textContent = "Copy";
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(data.text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(output);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
}
"""


_run_errand = st.components.v2.component("make_us_rich.errand", js=_ERRAND)
_show_copyable = st.components.v2.component("make_us_rich.copyable", html=_COPY_HTML, css=_COPY_CSS, js=_COPY)


def keep_login(ticket: str) -> None:
    """Let the browser fetch the cookie of a login."""
    _mount("POST", ticket)


def forget_login(ticket: str) -> None:
    """Let the browser drop the cookie; the ticket only tells one log-out from the next."""
    _mount("DELETE", ticket)


def _mount(method: str, ticket: str) -> None:
    with st.container(key="errand"):
        errand = {"method": method, "path": PATH, "header": TICKET, "ticket": ticket}
        _run_errand(key="errand-in-browser", data=errand)


def copyable(label: str, text: str) -> None:
    """A text that is not shown again, with a button that copies it."""
    _show_copyable(key=f"copyable-{label}", data={"label": label, "text": text})
