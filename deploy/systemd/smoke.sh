#!/bin/bash
# Runs the service under a real systemd, and takes it all away again: a systemd of its own, in namespaces of its own, over a copy
# of this machine's files that is kept in memory. Install, READY, reload, watchdog, restart, bad config, devices, uninstall: each
# prints one line `ok ...` or `FAIL ...`; exit code 1 if one fails. Needs root, Linux with cgroup2 and overlayfs, systemd, `dist`.
#
#   sudo bash deploy/systemd/smoke.sh [folder with dist and node_modules; default: this package]
#
# Three parts in one file: outside (here), inside (before systemd), probe (under systemd).
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
part=outside
case ${1:-} in --inside | --probe) part=${1#--}; shift ;; esac

# --- outside: namespaces, and a cgroup to be the root of the new systemd's
if [ $part = outside ]; then
  package=$(readlink -f -- "${1:-$here/../..}")
  work=$(mktemp -d)
  for mounted in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    [ "$(stat -f -c %T $mounted 2>/dev/null)" = cgroup2fs ] && cgroups=$mounted
  done
  [ -n "${cgroups:-}" ] || { echo 'no cgroup2 here' >&2; exit 2; }
  cgroup=$cgroups/ferrule-smoke-$$
  mkdir "$cgroup"
  trap 'rm -rf "$work"; find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true' EXIT
  bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' - "$cgroup" \
    timeout -s KILL 150 unshare --mount --pid --fork --kill-child --uts --ipc --cgroup --net --propagation private \
    bash "$here/smoke.sh" --inside "$work" "$package" >"$work.log" 2>&1 || true
  cat "$work/out/result" 2>/dev/null || { echo 'FAIL systemd did not come up'; tail -20 "$work.log"; }
  rm -f "$work.log"
  ! grep -q '^FAIL' "$work/out/result" && grep -q '^ok   all done' "$work/out/result"
  exit
fi

# --- inside: the files of the new machine; becomes systemd
if [ $part = inside ]; then
  work=$1 package=$2 root=$1/root
  mkdir "$root" "$work/memory" "$work/out"
  mount -t tmpfs tmpfs "$work/memory"
  mkdir "$work/memory/up" "$work/memory/work"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$work/memory/up,workdir=$work/memory/work" "$root"
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup" || { mount -t tmpfs tmpfs "$root/sys/fs/cgroup"; mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"; }
  for folder in dev run etc/ferrule var/lib; do mkdir -p "$root/$folder"; done
  mount -t tmpfs tmpfs "$root/run"
  mount -t tmpfs tmpfs "$root/dev"
  while read -r name major minor; do mknod -m 666 "$root/dev/$name" c "$major" "$minor"; done <<'NODES'
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
ttyUSB9 188 9
hidraw9 245 9
NODES
  mkdir "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  mkdir -p "$root/opt/ferrule/node_modules" "$root/opt/out"
  cp -rL "$package/dist" "$package/package.json" "$root/opt/ferrule/"
  cp -r "$here/.." "$root/opt/ferrule/deploy"
  mount --bind "$package/node_modules" "$root/opt/ferrule/node_modules"
  mount --bind "$work/out" "$root/opt/out"
  # What a systemd that starts would do to the kernel that we share with others.
  for unit in sysctl modules-load udevd udev-trigger binfmt random-seed timesyncd logind networkd resolved pstore repart; do
    ln -sfn /dev/null "$root/etc/systemd/system/systemd-$unit.service"
  done
  printf '[Unit]\nWants=probe.service\n' >"$root/etc/systemd/system/probe.target"
  cat >"$root/etc/systemd/system/probe.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/bash /opt/ferrule/deploy/systemd/smoke.sh --probe
StandardOutput=file:/opt/out/result
StandardError=file:/opt/out/errors
ExecStopPost=/bin/systemctl --no-block exit
UNIT
  exec env -i container=ferrule PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    chroot "$root" /lib/systemd/systemd --system --unit=probe.target --log-target=console --show-status=no
fi

# --- probe: what a user would do
shown() { systemctl show ferrule -P "$1"; }
log() { journalctl -u ferrule --no-pager -o cat; }
expect() { # expect WHAT COMMAND...: the command comes true within 40 s
  local what=$1
  shift
  for _ in $(seq 200); do
    if "$@"; then echo "ok   $what"; return; fi
    sleep 0.2
  done
  echo "FAIL $what"
}
is() { [ "$(shown "$1")" = "$2" ]; }
said() { log | grep -q -- "$1"; }
status() { shown StatusText | grep -q -- "$1"; }
is_confined() {
  local status=/proc/$(shown MainPID)/status
  grep -q "^CapBnd:.0000000000000000" "$status" && grep -q '^NoNewPrivs:.1' "$status" && grep -q '^Seccomp:.2' "$status" &&
    [ "$(awk '/^Uid:/ {print $2}' "$status")" = "$(id -u ferrule)" ]
}
only_state_is_writable() {
  local mounts=/proc/$(shown MainPID)/mountinfo
  grep -qE ' / / ro,' "$mounts" && grep -qE ' /var/lib/ferrule rw,' "$mounts"
}
another() { [ "$(shown MainPID)" != "$1" ] && is SubState running; }

set +e
cat >/etc/ferrule/ferrule.yaml <<'YAML'
mqtt: { url: embedded }
devices:
  usb: { driver: lines, link: "serial:/dev/ttyUSB9" }
  hid: { driver: lines, link: "serial:/dev/hidraw9" }
  sensors: { driver: lines, link: "tcp-listen://127.0.0.1:7000" }
YAML
install() { sh /opt/ferrule/deploy/systemd/install.sh >&2; }
expect 'install' install
expect 'install again' install
expect 'READY: systemd calls it running' is SubState running
expect 'STATUS: devices online of all' status '^1 of 3 devices online; broker online'
expect 'user, capabilities and filter are those of the unit' is_confined
expect 'all but /var/lib/ferrule is read-only' only_state_is_writable
# The driver of ttyUSB is not loaded: allowed, but not there. A name instead of the number in DeviceAllow would be refused.
expect 'an adapter whose driver comes later is allowed' said '/dev/ttyUSB9 went away while it was opened'
expect 'what is no serial port is forbidden' said 'the system forbids opening /dev/hidraw9'
systemctl reload ferrule
expect 'RELOADING: reloaded, and running again' said '"reloaded: 0 added'
expect 'READY after the reload' is SubState running
mkdir -p /etc/systemd/system/ferrule.service.d
printf '[Service]\nWatchdogSec=3\nRestartSec=1\n' >/etc/systemd/system/ferrule.service.d/smoke.conf
systemctl daemon-reload
systemctl restart ferrule
pid=$(shown MainPID)
sleep 5
expect 'WATCHDOG is fed: nobody was restarted' is MainPID "$pid"
kill -STOP "$pid"
expect 'WATCHDOG is not fed: another one runs' another "$pid"
pid=$(shown MainPID)
kill -TERM "$pid"
expect 'after an end with 0 it is started again' another "$pid"
systemctl stop ferrule
expect 'systemctl stop: stopped' is ActiveState inactive
expect 'the end was clean' said 'stopped cleanly'
echo 'devices: 7' >/etc/ferrule/ferrule.yaml
systemctl start ferrule
expect 'a wrong config: exit code 78' is ExecMainStatus 78
sleep 2
expect 'and it is not tried again' is ActiveState failed
uninstall() { sh /opt/ferrule/deploy/systemd/uninstall.sh "$@" >&2; }
expect 'uninstall, twice' uninstall
uninstall
expect 'the config is still there' test -f /etc/ferrule/ferrule.yaml
expect 'uninstall --purge' uninstall --purge
expect 'nothing is left' test ! -e /etc/ferrule -a ! -e /var/lib/ferrule -a ! -e /etc/systemd/system/ferrule.service
echo 'ok   all done'
