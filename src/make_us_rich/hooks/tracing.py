"""OpenTelemetry: a span for each run, and in it one for each node with what it requests.

Nothing is imported here: without ``opentelemetry-instrument``, ``settings.py`` leaves these hooks out.
"""

from contextlib import ExitStack
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node

RUN = "run"


class TracingHooks:
    """Starts and ends the spans; a run that another hook refuses has none."""

    def __init__(self) -> None:
        self._spans: dict[str, ExitStack] = {}

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Start the span of the run."""
        self._start(RUN, f"run {', '.join(run_params.get('pipeline_names') or ['__default__'])}")

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Start the span of a node."""
        self._start(node.name, node.name)

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """End it."""
        self._end(node.name, None)

    @hook_impl
    def on_node_error(self, error: Exception, node: Node) -> None:
        """End it with the error."""
        self._end(node.name, error)

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """End the span of the run."""
        self._end(RUN, None)

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """End it with the error."""
        self._end(RUN, error)

    def _start(self, key: str, name: str) -> None:
        from opentelemetry import trace

        self._spans[key] = ExitStack()
        self._spans[key].enter_context(trace.get_tracer("make_us_rich").start_as_current_span(name))

    def _end(self, key: str, error: Exception | None) -> None:
        from opentelemetry import trace

        self._spans.pop(key).__exit__(type(error) if error else None, error, None)
        if key == RUN:  # The process of a pair ends without further notice.
            getattr(trace.get_tracer_provider(), "force_flush", bool)()
