#!/bin/sh
# Starts the gateway in a balena container: with UDEV=1 on the host's live /dev, then as user `node` instead of root.
# Without UDEV the container keeps the /dev that the engine made, with the ports that were there at its start.
set -eu

# The kernel's own devtmpfs is the same one that the host shows: its udev makes the names in /dev/serial/by-id there, so none has
# to run here. What the engine put below /dev moves over, since it belongs to this container.
live_dev() {
  mkdir -p /run/ferrule-dev
  mount -t devtmpfs devtmpfs /run/ferrule-dev || return 1
  for part in pts shm mqueue; do
    if mountpoint -q "/dev/$part" && [ -d "/run/ferrule-dev/$part" ]; then
      mount --move "/dev/$part" "/run/ferrule-dev/$part"
    fi
  done
  mount --move /run/ferrule-dev /dev
}

case "${UDEV:-off}" in
  1 | on | true)
    live_dev || echo 'entry.sh: UDEV=1 needs `privileged: true`: ports that are plugged in from now on will not be seen' >&2
    ;;
esac

# exec, twice: node becomes PID 1, and SIGTERM reaches it. No way back to root, not even through a setuid file.
exec setpriv --reuid=node --regid=node --init-groups --inh-caps=-all --no-new-privs \
  node /app/dist/src/cli/main.js "$@"
