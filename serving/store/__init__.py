"""What is answered from memory: champions, candles, and the forecasts made of them."""
