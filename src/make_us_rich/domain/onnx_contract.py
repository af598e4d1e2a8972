"""The two ends of every graph, and the one opset; the contract is written down in docs/onnx-contract.md."""

INPUT = "features"
OUTPUT = "quantiles"
OPSET = 18
