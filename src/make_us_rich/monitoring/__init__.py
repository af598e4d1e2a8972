"""Monitoring of served forecasts: the live record, missed forecasts, scores, drift and demotion. Pure functions."""
