"""Project settings, read by Kedro."""

from make_us_rich.config import CONFIG_LOADER_ARGS as CONFIG_LOADER_ARGS
from make_us_rich.hooks.demo_exchange import DemoExchangeHooks
from make_us_rich.hooks.one_at_a_time import OneAtATimeHooks
from make_us_rich.hooks.progress import ProgressHooks
from make_us_rich.hooks.run_checks import RunChecksHooks
from make_us_rich.hooks.run_record import RunRecordHooks

# Kedro calls the last one first. The demo's exchange comes before the checks: once configuration that refers to
# --params has been read, Kedro keeps them, and an address filled in later would be ignored.
HOOKS = (ProgressHooks(), RunRecordHooks(), RunChecksHooks(), DemoExchangeHooks(), OneAtATimeHooks())
