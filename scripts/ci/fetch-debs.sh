#!/usr/bin/env bash
# Unpacks (never installs) packages of a newer Debian suite from the mirror this machine already uses:
#
#   scripts/ci/fetch-debs.sh SUITE TARGET_DIR PACKAGE…
#
# Meant for single Go binaries, which need nothing but a libc that is not newer than theirs.
set -euo pipefail
suite=$1 target=$2
shift 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,deb} "$target"

# Both ways of writing apt sources; security archives name their suites differently and are left out.
shopt -s nullglob
for file in /etc/apt/sources.list.d/*.sources; do
  awk 'BEGIN { RS = ""; ORS = "\n\n" } /Types:.*deb/ && /debian/ && !/debian-security/' "$file" | sed "s/^Suites:.*/Suites: $suite/" >>"$work/x.sources"
done
list=$work/x.sources
if [ ! -s "$list" ]; then
  list=$work/x.list
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] || continue
    sed -nE "/debian-security/d; s#^deb +(\[[^]]*\] +)?([^ ]+debian[^ ]*) +.*#deb \1\2 $suite main#p" "$file" >>"$list"
  done
  [ ! -f "$list" ] || sort -u -o "$list" "$list"
fi
[ -s "$list" ] || {
  echo "no Debian mirror found in this machine's apt sources" >&2
  exit 1
}

options=(-qq -o "Dir::Etc::sourcelist=$list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::Lists=$work/lists"
  -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3 -o Acquire::Languages=none)
apt-get "${options[@]}" update
(cd "$work/deb" && apt-get "${options[@]}" download "${@/%//$suite}")
for deb in "$work"/deb/*.deb; do dpkg -x "$deb" "$target"; done
