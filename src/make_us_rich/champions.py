"""What is published, and the way back to an earlier version."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd
from kedro.io import DataCatalog

from make_us_rich.catalog import load_champion, load_pointer, load_version, open_catalog, open_config
from make_us_rich.config import find_project, store_root
from make_us_rich.domain.errors import ArtifactError, UnknownPairError
from make_us_rich.domain.manifest import Manifest
from make_us_rich.domain.pair import Pair
from make_us_rich.locks import Held, pair_lock

COLUMNS = (
    "pair",
    "candles",
    "from",
    "to (UTC)",
    "architecture",
    "skill 1 h",
    "24 h",
    "mean",
    "80 % holds",
    "published",
)


def tabulate(env: str | None = None) -> str:
    """A table of what is served for all configured pairs, the newest verdicts, and where to look next.

    Raises:
        ArtifactError: A champion is damaged.
        StorageError: The store failed.
    """
    catalog = open_catalog(env)
    names: list[str] = open_config(env)["parameters"]["pairs"]
    rows = [COLUMNS, *(_champion_row(catalog, name) for name in names)]
    head, *lines = _aligned(rows)
    verdicts = _aligned([row for name in names for row in _verdict_rows(catalog, name)])
    told = ["", "What the newest run of each pair found:", *verdicts] if verdicts else []
    return "\n".join([head, "-" * len(head), *lines, *told, "", *_where_next(env)])


def history(name: str, env: str | None = None) -> str:
    """A table of what was served for a pair, the newest first: since when, which version, why.

    Args:
        name: Pair such as ``btc_usdt``.
        env: Environment.

    Raises:
        ArtifactError: The champion pointer is damaged.
        StorageError: The store failed.
        UnknownPairError: The pair is not configured.
    """
    _require_configured(name, open_config(env)["parameters"]["pairs"])
    promotions = load_pointer(open_catalog(env), name).promotions
    rows = [(f"{each.at:%Y-%m-%d %H:%M}", each.version, each.reason) for each in reversed(promotions)]
    return "\n".join(_aligned([("since (UTC)", "version", "why"), *rows])) if rows else f"{name}: nothing yet"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _champion_row(catalog: DataCatalog, name: str) -> tuple[str, ...]:
    if load_pointer(catalog, name).version is None:
        return (name, *["-"] * (len(COLUMNS) - 2), "nothing yet")
    manifest = load_champion(catalog, name).manifest
    metrics, data = manifest.metrics, manifest.data
    return (
        name,
        f"{data.rows:,}",
        f"{data.start:%Y-%m-%d}",
        f"{data.end:%Y-%m-%d %H:%M}",
        manifest.architecture,
        *(_figure(metrics.get(score), form) for score, form in _SHOWN.items()),
        manifest.version,
    )


_SHOWN = {
    "crps_skill_1h": "{:+.1%}",
    "crps_skill_24h": "{:+.1%}",
    "crps_skill_mean": "{:+.1%}",
    "coverage_80_mean": "{:.1%}",
}
"""Scores on the folds: the share of the baseline's CRPS that is gone, and what the 80 % interval held."""


def _figure(value: float | None, form: str) -> str:
    """A pair too young for the folds has no scores yet."""
    return "-" if value is None else form.format(value).replace("%", " %")


def _verdict_rows(catalog: DataCatalog, name: str) -> list[tuple[str, ...]]:
    verdicts: pd.DataFrame = catalog.load(f"{name}.stored_verdicts")
    if verdicts.empty:
        return []
    newest = verdicts[verdicts["version"] == verdicts["version"].iloc[-1]]
    return [(name, row.architecture, str(row.reason)) for row in newest.itertuples()]


def _where_next(env: str | None) -> list[str]:
    option = f" --env={env}" if env else ""
    return [
        f"The flow and its data:  kedro viz run{option}",
        f"Every run, its curves:  kedro mlflow ui{option}",
        f"Serve the one before:   kedro rollback <pair>{option}",
    ]


def roll_back(name: str, version: str | None = None, env: str | None = None) -> str:
    """Make an earlier version the champion again, once it has been loaded and checked.

    Args:
        name: Pair such as ``btc_usdt``.
        version: The version to serve; the one that was served before the present one unless given.
        env: Environment.

    Returns:
        What was done, in words.

    Raises:
        ArtifactError: There is no such version, it is damaged, or its verdict forbids it; what is served stays.
        LockedError: A run holds the pair.
        UnknownPairError: The pair is not configured.
    """
    config = open_config(env)
    _require_configured(name, config["parameters"]["pairs"])
    root = store_root(config["globals"]["root"], find_project())
    with pair_lock(root, name, config["credentials"]["storage"]) as held:
        return _point_back(open_catalog(env), name, version, held)


def _require_configured(name: str, pairs: Sequence[str]) -> None:
    if Pair.parse(name).name not in pairs:
        raise UnknownPairError(f"{name}: not among the configured pairs: {', '.join(pairs)}")


def _point_back(catalog: DataCatalog, name: str, version: str | None, held: Held) -> str:
    pointer = load_pointer(catalog, name)
    earlier = [promotion.version for promotion in pointer.promotions if promotion.version != pointer.version]
    target = version or (earlier[-1] if earlier else None)
    if target is None:
        raise ArtifactError(f"{name}: there is no earlier champion to go back to; name a version with --to")
    if target == pointer.version:
        return f"{name}: already serving {target}"
    _require_publishable(load_version(catalog, name, target).manifest)
    reason = f"rolled back from {pointer.version}"
    held.check()
    catalog.save(f"{name}.champion", pointer.promote(target, datetime.now(UTC), reason))
    return f"{name}: now serving {target}, {reason}"


def _require_publishable(manifest: Manifest) -> None:
    if not manifest.verdict.publish:
        raise ArtifactError(
            f"{manifest.pair} {manifest.version}: may not be served, {manifest.verdict.reason}; name another version"
        )
