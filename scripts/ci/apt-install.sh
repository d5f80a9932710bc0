#!/usr/bin/env bash
# Installs Debian packages that are missing, quietly: scripts/ci/apt-install.sh PACKAGE…
# The package lists are fetched once per run: CI_APT_STAMP names the file that remembers it.
set -euo pipefail

missing=()
for package in "$@"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "missing: ${missing[*]}; they are only installed for you on a Debian machine as root" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Hundreds of lines nobody reads, unless it fails.
apt() { apt-get -y -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1 || { cat "$log" >&2; return 1; }; }

stamp=${CI_APT_STAMP:-}
if [ -z "$stamp" ] || [ ! -e "$stamp" ]; then
  apt update
  [ -z "$stamp" ] || touch "$stamp"
fi
apt install --no-install-recommends "${missing[@]}"
echo "installed ${missing[*]}"
