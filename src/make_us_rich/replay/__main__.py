"""Entry point of ``python -m make_us_rich.replay``."""

import sys

from make_us_rich.replay.command_line import main

if __name__ == "__main__":
    sys.exit(main())
