"""Fetching: what is missing is asked for, checked, and reported."""
