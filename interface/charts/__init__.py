"""Frames and records to Plotly figures: pure functions, one kind of chart a file."""
