"""How far a run is: one plain line a node."""

import logging

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

log = logging.getLogger(__name__)


class ProgressHooks:
    """Counts the nodes as they are done."""

    def __init__(self) -> None:
        self._done = 0
        self._all = 0

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Begin to count."""
        self._done, self._all = 0, len(pipeline.nodes)

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Tell the node."""
        self._done += 1
        log.info("%d/%d %s", self._done, self._all, node.name)
