"""What is wrong, told once to whoever runs this: the checks, and the messages.

    >>> from make_us_rich.alerts import watch
    >>> watch("demo")  # doctest: +SKIP

``check_all`` finds what is wrong, ``Alerts.tell`` says what has changed since the last round, ``watch`` does both.
"""

from make_us_rich.alerts.alert import Alert, Kind
from make_us_rich.alerts.checks import check_all
from make_us_rich.alerts.telling import Alerts, Round
from make_us_rich.alerts.watching import open_alerts, read_told, send_test, watch

__all__ = ["Alert", "Alerts", "Kind", "Round", "check_all", "open_alerts", "read_told", "send_test", "watch"]
