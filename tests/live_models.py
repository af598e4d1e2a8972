"""A published model that sees a month, and the candles that come after its own."""

from functools import cache

import pandas as pd

from make_us_rich.domain.manifest import Manifest
from make_us_rich.domain.published import Published
from make_us_rich.pipelines.converting.nodes import (
    add_baseline,
    check_parity,
    convert_baseline,
    convert_model,
    describe_candidate,
    draw_windows,
)
from make_us_rich.pipelines.exporting.nodes import publish_artifacts, write_manifest
from make_us_rich.pipelines.training.nodes import fit_challengers
from synthetic import CONVERTING, RUN, TRAINING, judgement, prepare, simulated_klines

SEEN, ROWS = 1_500, 1_800
"""Candles that the model was made from, and all of them."""


@cache
def klines() -> pd.DataFrame:
    """All candles."""
    return simulated_klines(rows=ROWS)


@cache
def model(architecture: str = "har") -> Published:
    """What exporting publishes of an architecture that was trained on the first candles."""
    made = prepare(klines().head(SEEN), "har")
    challengers = fit_challengers(made.features, made.klines, made.split, made.scalers, made.lineup, TRAINING, RUN)
    chosen, choice = challengers[architecture], {"architecture": architecture}
    windows = draw_windows(made.features, made.klines, made.split, chosen, CONVERTING)
    graph = convert_model(chosen, choice, windows, RUN)
    parity = check_parity(graph, chosen, choice, windows, CONVERTING, RUN)
    described = describe_candidate(
        graph, parity, made.scalers, made.klines, made.split, {}, judgement(architecture), chosen, windows, RUN
    )
    beside = convert_baseline(challengers, made.features, made.klines, made.split, CONVERTING, RUN)
    candidate = add_baseline(described, *beside)
    *_, checksums = publish_artifacts(candidate, graph, beside[0], made.scalers)
    manifest = Manifest.read(write_manifest(candidate, checksums, graph, beside[0], RUN), "btc_usdt")
    return Published(manifest, graph, beside[0])
