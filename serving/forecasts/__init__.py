"""Champions, candles and the forecasts made from them, in memory."""
