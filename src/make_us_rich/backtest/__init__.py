"""Walk-forward backtest, scores, calibration and the gate: pure functions on arrays."""
