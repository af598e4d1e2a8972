#!/usr/bin/env bash
# Installs the system packages that the tests drive, where they are missing and this user may.
set -euo pipefail

missing=()
command -v chromium >/dev/null || missing+=(chromium)
# Debian keeps the server's programs out of the PATH.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || missing+=(postgresql)
[ -x /usr/sbin/cron ] || missing+=(cron)
command -v curl >/dev/null || missing+=(curl)
command -v node >/dev/null || missing+=(nodejs)
command -v strace >/dev/null || missing+=(strace)
command -v prometheus >/dev/null || missing+=(prometheus)
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || missing+=(nginx-light)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # RUNLEVEL: no package starts its server.
  RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "Missing: ${missing[*]}. The tests that need them are skipped; install with: sudo apt-get install ${missing[*]}"
fi
