"""Kedro datasets: the exchange's klines, whole files, ONNX models, the champion pointer."""
