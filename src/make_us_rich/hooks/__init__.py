"""What happens around a run: the demo's exchange, checks and locks before it, its record."""
