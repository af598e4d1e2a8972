"""Evaluating: every challenger on the test part, the baseline's error beside each of its own."""
