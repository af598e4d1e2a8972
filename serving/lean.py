"""Lets this process start quickly and stay small; to be imported before anything that is large.

It leaves pyarrow out: pandas would load it wherever it is installed, 35 MB, to read Parquet, and nothing that is served
lies in Parquet. And it looks for no garbage until the app has started: there is little, and to go through all that has
been imported so far, again and again, takes a fifth of the time of importing it.
"""

import gc
import sys

gc.disable()
# What Python does for a module that is None here is what pandas is prepared for: that it is not installed.
sys.modules["pyarrow"] = None  # type: ignore[assignment]
