"""The words of the trade: pairs, klines, forecasts, manifests, champions and errors. No I/O, no frames."""
