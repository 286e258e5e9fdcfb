#!/bin/sh
# Proves a Dockerfile where no container engine runs: makes a root file system, runs the Dockerfile's own lines in it by chroot,
# and runs what comes out as the Dockerfile says, as its user, without a shell. A reading of a TCP device outside has to arrive
# at a mosquitto outside. Prints the size. Needs root and Linux; leaves nothing mounted.
#
#   sudo sh deploy/smoke/rootfs.sh [--debootstrap] [--dist DIR] [--dockerfile FILE --context DIR]
#
# --debootstrap  a Debian of its own with the Node of the image (minutes, network). Without: this machine's /usr, read-only
# --dist         take the compiled gateway from here instead of running the stage `build`
# --dockerfile   default deploy/docker/Dockerfile, from the root of the repository
set -eu

NODE_VERSION=22 # as in the FROM lines
SUITE=bookworm
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

# Everything that is mounted goes with this namespace, however the script ends.
if [ "${IN_OWN_MOUNTS:-}" != yes ]; then
  export IN_OWN_MOUNTS=yes
  exec unshare --mount --propagation private sh "$0" "$@"
fi
unset IN_OWN_MOUNTS

form=plain
dist=
dockerfile=$root/deploy/docker/Dockerfile
context=$root
while [ $# -gt 0 ]; do
  case $1 in
    --debootstrap) form=debootstrap ;;
    --dist) dist=$2; shift ;;
    --dockerfile) dockerfile=$2; shift ;;
    --context) context=$2; shift ;;
    *) echo "rootfs.sh: unknown argument $1" >&2; exit 64 ;;
  esac
  shift
done

work=$(mktemp -d /tmp/ferrule-rootfs.XXXXXX)
# The folder is a mount of its own, so that nothing below it can be left mounted when it is removed.
mount --bind "$work" "$work"
clean_up() {
  cd /
  umount -R -l "$work" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# A system with node, npm and the user `node`, as the official image has them.
plain_base() {
  mkdir -p "$1/etc" "$1/root" "$1/home/node" "$1/var" "$1/usr"
  mkdir -m 1777 "$1/tmp"
  for link in bin sbin lib lib64; do
    if [ -L "/$link" ]; then ln -s "usr/$link" "$1/$link"; fi
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n' >"$1/etc/passwd"
  printf 'root:x:0:\ndialout:x:20:\nnode:x:1000:\n' >"$1/etc/group"
  printf 'root:*:1::::::\nnode:*:1::::::\n' >"$1/etc/shadow"
  printf 'hosts: files dns\n' >"$1/etc/nsswitch.conf"
}

debian_base() {
  debootstrap --variant=minbase "$SUITE" "$1" http://deb.debian.org/debian >"$work/debootstrap.log" 2>&1 || {
    tail -20 "$work/debootstrap.log" >&2
    return 1
  }
  rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/* "$1"/usr/share/doc/* "$1"/usr/share/man/*
  machine=$(node -p process.arch)
  (cd "$work" && npm install --no-save --no-audit --no-fund --ignore-scripts --prefix "$work/node" "node-linux-$machine@$NODE_VERSION" >/dev/null)
  cp "$work/node/node_modules/node-linux-$machine/bin/node" "$1/usr/local/bin/node"
  mkdir -p "$1/usr/local/lib/node_modules"
  cp -R "$(npm root -g)/npm" "$1/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$1/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$1/usr/local/bin/npx"
  chroot "$1" groupadd --gid 1000 node
  chroot "$1" useradd --uid 1000 --gid node --create-home node
}

base=$work/base
mkdir "$base"
if [ "$form" = debootstrap ]; then debian_base "$base"; else plain_base "$base"; fi

set -- --dockerfile "$dockerfile" --context "$context" --base "$base" --out "$work/stages" --cache "$(npm config get cache)"
if [ "$form" = plain ]; then set -- "$@" --bind usr; fi
if [ -n "$dist" ]; then
  mkdir -p "$work/given/src"
  cp -R "$dist" "$work/given/src/dist"
  set -- "$@" --given "build=$work/given"
fi
image=$(node "$here/build-rootfs.mjs" "$@")

field() { printf '%s' "$image" | node -p "JSON.parse(require('fs').readFileSync(0, 'utf8')).$1"; }
stage=$(field root)
size() { du -sm --one-file-system "$1" | cut -f1; }
printf 'size: /app %s MB (node_modules %s MB)\n' "$(size "$stage/app")" "$(size "$stage/app/node_modules")"
# In the plain form /usr is this machine's, which says nothing.
if [ "$form" = debootstrap ]; then printf 'size: whole root file system %s MB\n' "$(size "$stage")"; fi

# As the engine starts it: its user, its folder, its environment. Where the entry point is no shell, none is needed: it is gone.
user=$(field user)
case "$(field 'entrypoint[0]')" in
  */sh) ;;
  *)
    : >"$work/nothing"
    for shell in dash bash; do
      if [ -e "$stage/usr/bin/$shell" ]; then mount --bind "$work/nothing" "$stage/usr/bin/$shell"; fi
    done
    if chroot "$stage" /bin/sh -c true 2>/dev/null; then
      echo 'rootfs.sh: there is still a shell' >&2
      exit 1
    fi
    ;;
esac
node "$here/run-image.mjs" "$image" "$user"
