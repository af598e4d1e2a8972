"""Figures of frames and records: pure functions."""
