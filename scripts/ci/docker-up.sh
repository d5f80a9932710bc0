#!/usr/bin/env bash
# A Docker engine with compose, buildx and the Node base image, on a Debian machine that has none of them and no image registry to
# pull from. Needs root and apt; does nothing where everything is there. About a minute and a half on a clean machine.
#
#   scripts/ci/docker-up.sh            DOCKERD_PID_FILE=… remembers an engine this script started, so that the caller can stop it
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/cytomesh/docker
pid_file=${DOCKERD_PID_FILE:-$cache/dockerd.pid}
image=node:24-bookworm-slim
npm_version=11.19.1
# Engine plugins are missing from Debian 12; this suite's run there.
plugin_suite=trixie
mkdir -p "$cache"

start_engine() {
  command -v dockerd >/dev/null || scripts/ci/apt-install.sh docker.io iptables ca-certificates
  setsid nohup dockerd >"$cache/dockerd.log" 2>&1 </dev/null &
  local pid=$!
  echo "$pid" >"$pid_file"
  for _ in $(seq 300); do
    if docker info >/dev/null 2>&1; then return; fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  echo "dockerd does not start:" >&2
  tail -n 20 "$cache/dockerd.log" >&2
  return 1
}

add_plugins() {
  local plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins missing=() name
  for name in compose buildx; do docker "$name" version >/dev/null 2>&1 || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  scripts/ci/fetch-debs.sh "$plugin_suite" "$cache/plugins" "${missing[@]/#/docker-}"
  mkdir -p "$plugins"
  for name in "${missing[@]}"; do
    install -m 0755 "$(find "$cache/plugins" -name "docker-$name" -type f -perm -100 | head -1)" "$plugins/docker-$name"
  done
}

# The image everything is built from, under its public name: pulled where that works, else made of Debian packages and the Node that
# the launcher installs. Its certificate bundle is this machine's, so that npm inside trusts what npm outside trusts.
make_base_image() {
  docker image inspect "$image" >/dev/null 2>&1 && return
  timeout 120 docker pull -q "$image" >/dev/null 2>&1 && return
  scripts/ci/apt-install.sh mmdebstrap ca-certificates
  local context node
  context=$(mktemp -d)
  node=$(node scripts/launch.mjs --setup)/node
  npm install --silent --prefix "$context" --no-save --ignore-scripts --no-audit --no-fund "npm@$npm_version"
  cp -L "$node" "$context/node"
  cp /etc/ssl/certs/ca-certificates.crt "$context/"
  mmdebstrap --quiet --variant=apt --include=ca-certificates,libstdc++6 \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm - 2>"$cache/mmdebstrap.log" | docker import - cytomesh-bookworm-slim:local >/dev/null || {
    tail -n 20 "$cache/mmdebstrap.log" >&2
    return 1
  }
  cat >"$context/Dockerfile" <<'DOCKERFILE'
FROM cytomesh-bookworm-slim:local
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY node /usr/local/bin/node
COPY node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
 && groupadd -g 1000 node && useradd -u 1000 -g node -s /bin/bash -m node
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
CMD ["node"]
DOCKERFILE
  docker build -q -t "$image" "$context" >/dev/null
  rm -rf "$context"
}

docker info >/dev/null 2>&1 || start_engine
add_plugins
make_base_image
echo "docker $(docker version -f '{{.Server.Version}}'), compose $(docker compose version --short), image $image"
