#!/usr/bin/env bash
# The main job on the replay exchange, and what came out of it. Leaves nothing running.
set -euo pipefail
cd "$(dirname "$0")"

# On two free cores a second thread makes an epoch hardly faster; beside other work it makes it several times slower.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

kedro run --env=demo --pipelines=eth_usdt,chz_usdt
# One epoch of the original recipe is enough to see it lose; conf/base has the whole of it.
kedro run --env=demo --pipeline=btc_usdt --params=architectures=baseline+lstm_levels,training.lstm_levels.max_epochs=1
echo
kedro champions --env=demo
