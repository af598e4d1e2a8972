"""The converting pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.converting import nodes


def create_pipeline() -> Pipeline:
    """The chosen challenger to a checked ONNX graph and its description."""
    report, windows, converting = "evaluation_report", "parity_windows", "params:converting"
    data = ["features", "klines", "split"]
    graphs = ["candidate_onnx", "candidate_baseline_onnx", "baseline_reads", "parity"]
    artifacts = ["candidate_past_forecasts", "candidate_scenario_ranks"]
    described = [*graphs, "scalers", "klines", "split", "metrics", report, "chosen", windows, *artifacts, "run"]
    baseline = ["candidate_baseline_onnx", "baseline_reads"]
    parity = ["candidate_onnx", "chosen", report, windows, converting, "run"]
    steps = [
        Node(nodes.select_challenger, ["challengers", report], ["chosen", "chosen_baseline"], name="select_challenger"),
        Node(nodes.sample_windows, [*data, "chosen", converting], windows, name="sample_windows"),
        Node(nodes.convert_model, ["chosen", report, windows, "run"], "candidate_onnx", name="convert_model"),
        Node(nodes.check_parity, parity, "parity", name="check_parity"),
        Node(nodes.convert_baseline, ["chosen_baseline", *data, converting, "run"], baseline, name="convert_baseline"),
        Node(
            nodes.rank_scenarios,
            ["features", "klines", "chosen", "params:training"],
            artifacts[1],
            name="rank_scenarios",
        ),
        Node(nodes.describe_candidate, described, "candidate", name="describe_candidate"),
    ]
    return Pipeline(steps, tags=["converting"])
