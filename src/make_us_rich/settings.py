"""Project settings, read by Kedro."""

from make_us_rich.config import CONFIG_LOADER_ARGS as CONFIG_LOADER_ARGS
from make_us_rich.hooks.demo_exchange import DemoExchangeHooks
from make_us_rich.hooks.one_at_a_time import OneAtATimeHooks
from make_us_rich.hooks.progress import ProgressHooks
from make_us_rich.hooks.run_checks import RunChecksHooks
from make_us_rich.hooks.run_record import RunRecordHooks

# Kedro calls the last one first.
HOOKS = (ProgressHooks(), RunRecordHooks(), DemoExchangeHooks(), RunChecksHooks(), OneAtATimeHooks())
