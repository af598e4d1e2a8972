#!/usr/bin/env bash
# The main job on the replay exchange, and what came out of it. Leaves nothing running.
set -euo pipefail
cd "$(dirname "$0")"

kedro run --env=demo --pipelines=eth_usdt,chz_usdt
# One epoch of the original recipe is enough to see it lose; conf/base has the whole of it.
kedro run --env=demo --pipeline=btc_usdt --params=architectures=baseline+lstm_levels,training.lstm_levels.max_epochs=1
echo
kedro champions --env=demo
