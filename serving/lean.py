"""Leaves pyarrow out of this process: pandas would load it wherever it is installed, 35 MB, to read Parquet.

Nothing that is served lies in Parquet. To be imported before pandas.
"""

import sys

# What Python does for a module that is None here is what pandas is prepared for: that it is not installed.
sys.modules["pyarrow"] = None  # type: ignore[assignment]
