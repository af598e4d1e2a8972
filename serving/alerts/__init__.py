"""Alerts for users: rules, their evaluation after each forecast, and messages."""
