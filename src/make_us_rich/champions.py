"""What is published, and the way back to an earlier version."""

from datetime import UTC, datetime

import pandas as pd
from kedro.io import DataCatalog

from make_us_rich.catalog import load_champion, load_pointer, load_version, open_catalog, open_config
from make_us_rich.config import find_project, store_root
from make_us_rich.domain.errors import ArtifactError, UnknownPairError
from make_us_rich.domain.manifest import Manifest
from make_us_rich.domain.pair import Pair
from make_us_rich.evaluation.scores import skill
from make_us_rich.locks import Held, pair_lock
from make_us_rich.models.registry import BASELINE

COLUMNS = (
    "pair",
    "candles",
    "from",
    "to (UTC)",
    "architecture",
    "RMSE 1 h",
    "baseline's",
    "CRPS skill",
    "published",
)


def tabulate(env: str | None = None) -> str:
    """A table of what was scored and published for all configured pairs, and where to look next.

    Raises:
        ArtifactError: A champion is damaged.
        StorageError: The store failed.
    """
    catalog = open_catalog(env)
    names: list[str] = open_config(env)["parameters"]["pairs"]
    rows = [COLUMNS, *(row for name in names for row in _rows(catalog, name))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], "", *_where_next(env)])


def _rows(catalog: DataCatalog, name: str) -> list[tuple[str, ...]]:
    if load_pointer(catalog, name).version is None:
        return [(name, *["-"] * (len(COLUMNS) - 2), "nothing yet")]
    manifest = load_champion(catalog, name).manifest
    return [_champion_row(manifest), *_rejected_rows(catalog, manifest)]


def _champion_row(manifest: Manifest) -> tuple[str, ...]:
    metrics, data = manifest.metrics, manifest.data
    return (
        manifest.pair,
        f"{data.rows:,}",
        f"{data.start:%Y-%m-%d}",
        f"{data.end:%Y-%m-%d %H:%M}",
        manifest.architecture,
        *_errors(metrics["rmse_1h"], metrics["baseline_rmse_1h"], metrics["crps_skill_mean"]),
        manifest.version,
    )


def _rejected_rows(catalog: DataCatalog, manifest: Manifest) -> list[tuple[str, ...]]:
    """The other architectures of the champion's run; none where the newest run was another one."""
    if not catalog.exists(f"{manifest.pair}.scores"):
        return []
    scores: pd.DataFrame = catalog.load(f"{manifest.pair}.scores")
    tables = {str(name): rows for name, rows in scores.groupby("architecture")}
    own = tables.pop(manifest.architecture, None)
    if own is None or own.loc[own["horizon"] == 1, "rmse"].item() != manifest.metrics["rmse_1h"]:
        return []
    return [("", "", "", "", name, *_scored(rows), _standing(name)) for name, rows in tables.items()]


def _standing(architecture: str) -> str:
    return "the reference" if architecture == BASELINE else "no: a higher error"


def _scored(rows: pd.DataFrame) -> tuple[str, ...]:
    first = rows[rows["horizon"] == 1].iloc[0]
    gain = float(skill(rows["crps"].mean(), rows["baseline_crps"].mean()))
    return _errors(first["rmse"], first["baseline_rmse"], gain)


def _errors(rmse: float, baseline: float, gain: float) -> tuple[str, ...]:
    return f"{rmse:.5g}", f"{baseline:.5g}", f"{100 * gain:+.1f} %"


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
    pair, config = Pair.parse(name), open_config(env)
    if pair.name not in config["parameters"]["pairs"]:
        raise UnknownPairError(f"{name}: not among the configured pairs: {', '.join(config['parameters']['pairs'])}")
    root = store_root(config["globals"]["root"], find_project())
    with pair_lock(root, name, config["credentials"]["storage"]) as held:
        return _point_back(open_catalog(env), name, version, held)


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
