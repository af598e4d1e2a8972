"""The HTTP API: forecasts, models, accounts."""
