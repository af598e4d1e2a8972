"""Candles as frames: typing what the exchange sends, checking it, and saying what is missing. No I/O."""
