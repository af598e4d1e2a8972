"""One run in a process of its own, which can be killed: ``python -m benchmarks.month.once <folder> <kind> <now>``."""

import os
import sys
from datetime import datetime
from pathlib import Path

from benchmarks.month.project import Project

if __name__ == "__main__":
    folder, kind, moment = Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3])
    os.chdir(folder)
    project = Project(folder, lambda: moment)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    project.run(kind)
