"""The searching pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.searching.nodes import choose_recipes, keep_trials, search_recipes, trace_trials


def create_pipeline() -> Pipeline:
    """Features to trials, and to the recipes that are better than those that are configured."""
    return Pipeline(
        [
            Node(
                search_recipes,
                [
                    "features",
                    "klines",
                    "lineup",
                    "params:architectures",
                    "params:training",
                    "params:walk_forward",
                    "params:searching",
                    "run",
                ],
                "new_trials",
                name="search_recipes",
            ),
            Node(keep_trials, ["stored_trials", "new_trials"], "trials", name="keep_trials"),
            Node(
                choose_recipes,
                ["new_trials", "stored_tuned", "params:searching", "run"],
                "tuned",
                name="choose_recipes",
            ),
            Node(trace_trials, "new_trials", "trial_losses", name="trace_trials"),
        ],
        tags=["searching"],
    )
