#!/usr/bin/env bash
# Puts a JetStream-capable nats-server (2.10 or newer) at the given path, from a newer suite of the machine's own Debian mirror.
# The package is unpacked, never installed: the server is one Go binary that needs nothing but libc 2.34.
#
#   scripts/ci/fetch-nats-server.sh [TARGET]      TARGET defaults to ./nats-server
#   NATS_SUITE=forky                              another suite (default: trixie)
set -euo pipefail

target=${1:-./nats-server}
suite=${NATS_SUITE:-trixie}
floor="2.10.0"

version_of() { "$1" -v 2>/dev/null | sed -n 's/.*v\([0-9][0-9.]*\).*/\1/p'; }
new_enough() { [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$floor" "$1" | sort -V | head -1)" = "$floor" ]; }

if [ -x "$target" ] && found=$(version_of "$target") && new_enough "$found"; then
  echo "nats-server $found is already at $target"
  exit 0
fi

command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
  echo "this recipe needs a Debian-like machine (apt-get, dpkg); install nats-server >= $floor by hand" >&2
  exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/deb" "$work/tree"

# The mirror is whatever this machine already uses; only the suite changes. Security archives carry other suite names: left out.
shopt -s nullglob
for file in /etc/apt/sources.list.d/*.sources; do
  awk 'BEGIN { RS = ""; ORS = "\n\n" } /Types:.*deb/ && /debian/ && !/debian-security/' "$file" |
    sed "s/^Suites:.*/Suites: $suite/" >>"$work/mirror.sources"
done
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [ -f "$file" ] || continue
  awk -v suite="$suite" '$1 == "deb" && /debian/ && !/debian-security/ {
      options = ""; at = 2
      if ($2 ~ /^\[/) { for (; at <= NF; at++) { options = options $at " "; if ($at ~ /\]$/) { at++; break } } }
      print "deb " options $at " " suite " main" }' "$file" >>"$work/mirror.list"
done
[ -s "$work/mirror.sources" ] && list="$work/mirror.sources" || list="$work/mirror.list"
[ -s "$list" ] || {
  echo "no Debian mirror found in this machine's apt sources" >&2
  exit 1
}
if [ "$list" = "$work/mirror.list" ]; then sort -u -o "$list" "$list"; fi

options=(-qq -o "Dir::Etc::sourcelist=$list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::Lists=$work/lists"
  -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3 -o Acquire::Languages=none)
apt-get "${options[@]}" update
(cd "$work/deb" && apt-get "${options[@]}" download "nats-server/$suite")
dpkg -x "$work"/deb/nats-server_*.deb "$work/tree"

binary=$(find "$work/tree" -name nats-server -type f -perm -100 | head -1)
found=$(version_of "$binary")
new_enough "$found" || {
  echo "suite $suite carries nats-server ${found:-of unknown version}, need >= $floor" >&2
  exit 1
}
mkdir -p "$(dirname "$target")"
# Written beside the target and renamed, so that a second run at the same time never sees half a file.
install -m 0755 "$binary" "$target.$$"
mv -f "$target.$$" "$target"
echo "nats-server $found is now at $target"
