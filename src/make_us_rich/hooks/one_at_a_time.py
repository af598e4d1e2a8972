"""MLflow's store is made and opened by one run at a time."""

import fcntl
import os
from collections.abc import Generator

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl


class OneAtATimeHooks:
    """Two first runs at once would both make the tables of MLflow's SQLite file, and one of them would fail."""

    @hook_impl(wrapper=True)
    def after_context_created(self, context: KedroContext) -> Generator[None]:
        """Hold the project's folder while every other hook, kedro-mlflow's too, sets itself up.

        The kernel's lock on a folder needs neither a file nor leave to write, and ends with the process.
        """
        folder = os.open(context.project_path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            return (yield)
        finally:
            os.close(folder)
