"""The command ``python -m serving``: the API in the foreground."""

import gc
import sys

# Imports make no garbage: looking for it takes a fifth of their time. pandas loads pyarrow wherever it is installed,
# 35 MB that serving needs for tables alone (docs/adr/0028).
gc.disable()
sys.modules["pyarrow"] = None  # type: ignore[assignment]

from serving.main import main  # noqa: E402

del sys.modules["pyarrow"]

if __name__ == "__main__":
    sys.exit(main())
