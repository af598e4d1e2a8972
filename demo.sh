#!/usr/bin/env bash
# The main job on the replay exchange, and what came out of it. Leaves nothing running.
set -euo pipefail
cd "$(dirname "$0")"
kedro run --env=demo "$@"
echo
kedro champions --env=demo
