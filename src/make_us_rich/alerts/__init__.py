"""Alerts: check runs, candles, models, API, disk and store, and send what has changed."""

from make_us_rich.alerts.alert import Alert, AlertKind, AlertRules, AlertState
from make_us_rich.alerts.checks import run_checks
from make_us_rich.alerts.notifier import notify, read_alerts
from make_us_rich.alerts.sending import send_test

__all__ = ["Alert", "AlertKind", "AlertRules", "AlertState", "notify", "read_alerts", "run_checks", "send_test"]
