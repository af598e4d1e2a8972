"""Fetching: what is missing is asked for, checked, and reported."""

from make_us_rich.pipelines.fetching.pipeline import create_pipeline

__all__ = ["create_pipeline"]
