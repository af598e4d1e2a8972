"""What a process of the interface has loaded once all pages are there, and what it has not."""

from pathlib import Path

from fresh_process import TRAINS, found, loaded_after

NEVER = TRAINS | {"alembic", "onnxruntime", "psycopg2", "serving", "sqlalchemy"}

LOAD = """
import interface.__main__
from interface.app_pages import account, admin, forecast, login, models, welcome
"""


def test_the_interface_loads_nothing_that_trains_or_speaks_sql(tmp_path: Path) -> None:
    loaded = loaded_after(LOAD, tmp_path)

    assert found(NEVER, loaded) == set()
    assert "streamlit" in loaded
