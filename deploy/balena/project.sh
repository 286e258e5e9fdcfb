#!/bin/sh
# Lays out a project that `balena push` takes: its services' folders have to be inside of it.
#
#   sh deploy/balena/project.sh DIR && balena push FLEET --source DIR
set -eu

if [ $# -ne 1 ]; then
  echo 'usage: project.sh DIR' >&2
  exit 64
fi
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$1

mkdir -p "$out/ferrule" "$out/mosquitto"
cp "$here/docker-compose.yml" "$here/balena.yml" "$out/"
cp "$here/mosquitto/Dockerfile" "$here/mosquitto/mosquitto.conf" "$out/mosquitto/"
rm -rf "$out/ferrule/src" "$out/ferrule/devices"
cp -R "$root/src" "$root/devices" "$out/ferrule/"
cp "$root/package.json" "$root/package-lock.json" "$root/tsconfig.json" "$root/bundle.mjs" "$root/LICENSE" "$out/ferrule/"
cp "$here/Dockerfile.template" "$here/entry.sh" "$root/deploy/docker/prune.mjs" "$out/ferrule/"
