"""Spans of runs and nodes, with OpenTelemetry's own exporter in memory."""

import pytest
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from make_us_rich.hooks.tracing import TracingHooks


def fail(number: int) -> None:
    raise ValueError(number)


def test_a_run_has_a_span_and_in_it_one_for_each_node(monkeypatch: pytest.MonkeyPatch) -> None:
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    hooks = _create_hook_manager()
    _register_hooks(hooks, [TracingHooks()])
    nodes, catalog = pipeline([node(fail, "number", None, name="fail")]), DataCatalog({"number": MemoryDataset(3)})
    of_run = {"run_params": {"pipeline_names": ["btc_usdt"]}, "pipeline": nodes, "catalog": catalog}

    hooks.hook.before_pipeline_run(**of_run)
    with pytest.raises(ValueError, match="3") as raised:
        SequentialRunner().run(nodes, catalog, hooks)
    hooks.hook.on_pipeline_error(error=raised.value, **of_run)

    failed, run = exporter.get_finished_spans()
    assert [failed.name, run.name] == ["fail", "run btc_usdt"]
    assert failed.parent.span_id == run.context.span_id
    assert not failed.status.is_ok
