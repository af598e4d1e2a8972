"""Project settings, read by Kedro."""

import logging
import sys
from typing import Any

from make_us_rich.catalog import CONFIG_LOADER_ARGS as CONFIG_LOADER_ARGS
from make_us_rich.hooks.run import RunHooks
from make_us_rich.hooks.run_log import RunLogHooks
from make_us_rich.hooks.tracing import TracingHooks
from make_us_rich.hooks.tracking import TrackingHooks
from make_us_rich.logs import log_json_if_asked

HOOKS: tuple[Any, ...] = (RunHooks(), RunLogHooks(), TrackingHooks())
if "opentelemetry.sdk" in sys.modules:
    HOOKS = (TracingHooks(), *HOOKS)

log_json_if_asked()
# MLflow warns of models that are not ours before every command.
logging.captureWarnings(capture=True)
logging.getLogger("py.warnings").addFilter(lambda record: "type hints to the `predict`" not in record.getMessage())
