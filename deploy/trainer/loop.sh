#!/bin/sh
# kedro hourly at the times of deploy/trainer/crontab, for a container, where cron would need root; and once at the start.
child=
trap 'kill "$child" 2>/dev/null; wait "$child"; exit 0' TERM INT
while :; do
  touch /tmp/hourly.alive
  kedro hourly & child=$!
  wait "$child"
  # Seconds until the next quarter of an hour and two minutes.
  sleep $((900 - ($(date +%s) - 120) % 900)) & child=$!
  wait "$child"
done
