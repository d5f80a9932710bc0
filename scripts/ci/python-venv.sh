#!/usr/bin/env bash
# Makes the virtual environment of the interop tests, once per state of its requirements, and prints its interpreter:
#
#   CYTOMESH_PYTHON=$(scripts/ci/python-venv.sh) npm test -- test/interop
#
# With a file of requirements as argument it makes the environment of those: the one of old peers, for example.
set -euo pipefail
cd "$(dirname "$0")/../.."

requirements=${1:-test/interop/requirements.txt}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cytomesh
mkdir -p "$cache"

usable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
find_python() {
  local name
  for name in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if command -v "$name" >/dev/null && usable "$name" && { [ -z "${1:-}" ] || "$name" -c 'import ensurepip, venv' 2>/dev/null; }; then
      command -v "$name"
      return
    fi
  done
  return 1
}

python=$(find_python with-venv) || {
  scripts/ci/apt-install.sh python3 python3-venv >&2
  python=$(find_python with-venv) || {
    echo "the interop tests need a Python from 3.11 to 3.13 with venv" >&2
    exit 1
  }
}

key=$({ cat "$requirements"; "$python" -c 'import sys, sysconfig; print(sys.version_info[:2], sysconfig.get_platform())'; } | sha256sum | cut -c1-16)
venv=$cache/venv-$key

# One at a time; a folder without its mark was left half made.
exec 9>"$venv.lock"
flock 9
if [ ! -e "$venv/.complete" ]; then
  rm -rf "$venv"
  "$python" -m venv "$venv" >&2
  "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --only-binary :all: -r "$requirements" >&2
  touch "$venv/.complete"
fi
echo "$venv/bin/python"
