"""Project settings, read by Kedro."""

import logging
import os

from make_us_rich.config import CONFIG_LOADER_ARGS as CONFIG_LOADER_ARGS
from make_us_rich.hooks.attempts import AttemptHooks
from make_us_rich.hooks.demo_exchange import DemoExchangeHooks
from make_us_rich.hooks.fan_out import FanOutHooks
from make_us_rich.hooks.one_at_a_time import OneAtATimeHooks
from make_us_rich.hooks.progress import ProgressHooks
from make_us_rich.hooks.run_checks import RunChecksHooks
from make_us_rich.hooks.run_record import RunRecordHooks

# Networks here are small: a second thread hardly helps where cores are free, and costs minutes where they are not.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# MLflow, imported after this, would tell of its tables, warn of models that are not ours before every command (and
# put its own filter before any of ours), and send what it calls telemetry.
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
logging.captureWarnings(capture=True)
logging.getLogger("py.warnings").addFilter(lambda record: "type hints to the `predict`" not in record.getMessage())

# Kedro calls the last one first. The demo's exchange comes before the checks: once configuration that refers to
# --params has been read, Kedro keeps them, and an address filled in later would be ignored.
HOOKS = (
    ProgressHooks(),
    RunRecordHooks(),
    RunChecksHooks(),
    AttemptHooks(),
    FanOutHooks(),
    DemoExchangeHooks(),
    OneAtATimeHooks(),
)
