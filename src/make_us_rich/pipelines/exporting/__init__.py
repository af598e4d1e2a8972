"""Exporting: scaler, ONNX and manifest under one version, the champion pointer last, old versions away."""
