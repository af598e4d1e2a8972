"""Slow imports, done once by the fork server and shared by the processes of all pairs.

Not onnxruntime: it starts threads when it is imported, and a fork does not have them.
"""
# ruff: noqa: I001, F401

import gc
import inspect

import make_us_rich.settings  # Filters a warning of MLflow, before MLflow is imported.
import alembic.command
import binance.client
import git
import kedro.framework.cli.cli
import kedro.framework.session
import kedro_datasets.partitions
import kedro_mlflow.framework.hooks.mlflow_hook
import mlflow.store.tracking.sqlalchemy_store
import onnx.checker
import pyarrow.parquet
import sklearn.preprocessing
import sqlalchemy.dialects.sqlite

import make_us_rich.datasets.exchange_klines
import make_us_rich.datasets.files
import make_us_rich.datasets.published
import make_us_rich.features.registry
import make_us_rich.pipeline_registry
import make_us_rich.runners.pair_process
from make_us_rich.klines.frame import empty_klines
from make_us_rich.klines.schema import CLEAN_KLINES
from make_us_rich.pipelines.evaluating.report import compressed_plotly

compressed_plotly()
CLEAN_KLINES.validate(empty_klines())  # The first validation imports more of pandera.
inspect.stack()  # Kedro's settings ask for it at each start; what it finds out of a thousand modules is remembered.
gc.freeze()  # A collection in a child would copy the pages that all share.
