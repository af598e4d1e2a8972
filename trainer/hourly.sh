#!/bin/sh
# What the crontab calls: the project's folder, its Python, and the variables of .env where there is one. Prints none of them.
set -eu
cd "$(dirname "$0")/.."

if [ -f .env ]; then
  set -a
  . ./.env
  set +a
fi
export KEDRO_DISABLE_TELEMETRY=1 DO_NOT_TRACK=1

python=${MAKE_US_RICH_PYTHON:-python}
PATH="$(dirname "$(command -v "$python")"):$PATH"
export PATH
exec "$python" -m kedro hourly "$@"
