"""From candles to a forecast, with a published model: what converting checks and serving runs."""
