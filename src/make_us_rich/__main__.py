"""``make-us-rich --pipelines=btc_usdt``: Kedro's run of the installed package."""

import sys
from importlib.util import find_spec
from typing import Any

_BARE = """To ask an API: pip install "make-us-rich[client]", then from make_us_rich.client import Client
To train and serve: make demo, in a clone of the repository"""


def main(*args: Any, **kwargs: Any) -> Any:
    """Run the project's pipelines; the working directory, or ``--conf-source``, has the configuration.

    Where no extra is installed, say what to type.
    """
    if find_spec("kedro") is None:
        sys.exit(_BARE)
    from kedro.framework.cli.utils import find_run_command
    from kedro.framework.project import configure_project

    from make_us_rich.cli import report_errors

    report_errors()
    configure_project("make_us_rich")
    kwargs["standalone_mode"] = not hasattr(sys, "ps1")
    return find_run_command("make_us_rich")(*args, **kwargs)


if __name__ == "__main__":
    main()
