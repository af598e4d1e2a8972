#!/usr/bin/env bash
# The main job on the replay exchange, what came out of it, and the API on it. Leaves nothing running.
# PAIRS=40 takes forty pairs.
set -euo pipefail
cd "$(dirname "$0")"

# What conf/base names, unless told otherwise; the file is ignored by git, and gone with the next demo.
pairs=conf/demo/parameters_pairs.yml
rm -f "$pairs"
if [ -n "${PAIRS:-}" ]; then
  python -m make_us_rich.replay.pair_names "$PAIRS" > "$pairs"
fi

# The networks of conf/base would be fitted nine times more for the gate, which takes minutes.
kedro run --env=demo --pipeline=all --params=architectures=har
echo
kedro champions --env=demo
exec python demo_api.py
