"""Monitoring: the hour's forecast is issued and recorded, those that have come true are scored, the champion judged."""
