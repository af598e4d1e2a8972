"""Feature sets, forecast windows and the chronological split. Pure: the same functions train and serve."""
