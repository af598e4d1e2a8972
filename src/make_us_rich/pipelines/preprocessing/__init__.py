"""Preprocessing: clean candles to features, where they are cut, and the scalers."""
