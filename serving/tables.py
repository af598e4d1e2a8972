"""Tables as files: CSV or Parquet. pyarrow takes 35 MB of memory, so that it is imported on first use."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Query, Response

if TYPE_CHECKING:
    import pyarrow as pa

MEDIA_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
Format = Annotated[Literal["json", "csv", "parquet"], Query(alias="format")]

CONTENT: dict[str, Any] = {name: {"schema": {"type": "string", "format": "binary"}} for name in MEDIA_TYPES.values()}
"""OpenAPI: the files that an endpoint answers with beside JSON."""


def file_response(table: "pa.Table", form: str, headers: Mapping[str, str]) -> Response:
    """A table as a file; its times in UTC. A year of forecasts takes seconds: not for the event loop."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    sink = pa.BufferOutputStream()
    if form == "csv":
        csv.write_csv(table, sink)
    else:
        parquet.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    pa.default_memory_pool().release_unused()  # 80 MB
    return Response(content, headers=headers, media_type=MEDIA_TYPES[form])
