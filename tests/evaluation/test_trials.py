from datetime import UTC, datetime, timedelta

import pandas as pd

from make_us_rich.domain.judgement import Judgement
from make_us_rich.evaluation.trials import DTYPES, tried_since_promotion, verdict_rows
from synthetic import judgement

AT = datetime(2025, 3, 1, 12, tzinfo=UTC)
NO_TRIALS = pd.DataFrame()


def log_of(*rows: tuple[float, str, str, bool]) -> pd.DataFrame:
    """Hours before ``AT``, recipe, version, whether it was chosen and may be published."""
    names = ("at", "recipe", "version", "chosen")
    frame = pd.DataFrame([dict(zip(names, (AT - timedelta(hours=row[0]), *row[1:]), strict=True)) for row in rows])
    frame = frame.assign(architecture="har", publish=frame["chosen"], reason="")
    return frame.reindex(columns=list(DTYPES)).astype(DTYPES)


def count(verdicts: pd.DataFrame, recipes: list[str], promoted: tuple[str, ...] = ()) -> int:
    return tried_since_promotion(verdicts, NO_TRIALS, promoted).count(recipes, AT)


def test_the_first_run_counts_its_own_challengers() -> None:
    assert count(pd.DataFrame(), ["a", "b"]) == 2


def test_a_recipe_counts_once_a_day() -> None:
    assert count(log_of((1, "a", "v1", False), (2, "a", "v0", False)), ["a"]) == 1


def test_a_recipe_counts_again_the_next_day() -> None:
    assert count(log_of((24, "a", "v1", False), (48, "a", "v0", False)), ["a"]) == 3


def test_what_was_tried_before_the_last_promotion_counts_no_more() -> None:
    verdicts = log_of((72, "a", "v0", False), (48, "a", "v1", True), (24, "b", "v2", False))

    assert count(verdicts, ["a"], promoted=("v1",)) == 2


def test_a_verdict_whose_run_was_killed_before_the_promotion_resets_nothing() -> None:
    verdicts = log_of((48, "a", "v1", True), (24, "b", "v2", False))

    assert count(verdicts, ["a"], promoted=()) == 3


def test_serving_the_baseline_is_no_promotion() -> None:
    verdicts = log_of((48, "a", "v0", False), (47, "", "v1", True))
    verdicts.loc[1, "architecture"] = "baseline"

    assert count(verdicts, ["a"], promoted=("v1",)) == 2


def test_every_trial_of_a_search_since_the_promotion_counts() -> None:
    trials = pd.DataFrame({"at": pd.to_datetime([AT - timedelta(hours=60), AT - timedelta(hours=1)], utc=True)})
    verdicts = log_of((48, "a", "v1", True))

    assert tried_since_promotion(verdicts, trials, ("v1",)).count(["a"], AT) == 2
    assert tried_since_promotion(verdicts, trials, ()).count(["a"], AT) == 4


def test_the_log_keeps_one_row_a_challenger_with_its_figures() -> None:
    made = Judgement.model_validate(judgement("har"))

    rows = verdict_rows(made, {"har": "0123456789ab"})

    assert {name: str(dtype) for name, dtype in rows.dtypes.items()} == DTYPES
    assert rows[["architecture", "recipe", "chosen", "publish", "folds_won", "dm_t"]].to_dict("records") == [
        {"architecture": "har", "recipe": "0123456789ab", "chosen": True, "publish": True, "folds_won": 8, "dm_t": 3.5}
    ]


def test_the_baseline_as_the_choice_has_a_row_of_its_own() -> None:
    rows = verdict_rows(Judgement.model_validate(judgement("baseline")), {})

    assert rows["architecture"].tolist() == ["baseline"]
    assert rows["chosen"].all()


def test_two_runs_make_one_log_of_the_same_types() -> None:
    rows = verdict_rows(Judgement.model_validate(judgement("har")), {"har": "0123456789ab"})

    both = pd.concat([rows, rows], ignore_index=True)

    assert {name: str(dtype) for name, dtype in both.dtypes.items()} == DTYPES
