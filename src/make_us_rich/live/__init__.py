"""What was served, hour by hour, and how good it was: the live record, its holes, scores, drift and demotion. Pure."""
