#!/bin/sh
# Installs Ferrule as a systemd service: user, unit, folder for the config, udev rules. Run it as root, as often as you like: what
# is there is brought up to date, and your config and your udev rules are left alone. uninstall.sh takes it all out again.
#
#   sudo sh install.sh [--no-start]
#
# From the environment: NODE, the node to run with (default: the one in PATH); DESTDIR, a folder to install into instead of /, for
# images and tests: then no user is made and nothing is started.
set -eu

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

start=yes
for arg in "$@"; do
  case $arg in
    --no-start) start=no ;;
    *) fail "unknown argument $arg; usage: install.sh [--no-start]" ;;
  esac
done

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
package=$(CDPATH='' cd -- "$here/../.." && pwd -P)
root=${DESTDIR:-}
main=$package/dist/src/cli/main.js
node=${NODE:-$(command -v node || :)}

[ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "needs root: sudo sh $0"
[ -n "$root" ] || [ -d /run/systemd/system ] || fail 'this machine was not started by systemd'
[ -n "$node" ] || fail 'node is not in the PATH of root; name it: NODE=/path/to/node sh install.sh'
node=$(readlink -f -- "$node") || fail "no node at $node"
[ -x "$node" ] || fail "no node at $node"
[ -f "$main" ] || fail "no $main; in a checkout, run \`npm run build\` first"

# The service sees no home folders, and a /tmp of its own.
for path in "$node" "$main"; do
  case $path in
    /home/* | /root/* | /tmp/* | /var/tmp/* | /run/user/*)
      [ -n "$root" ] || fail "$path is where the service may not look; install node and Ferrule for the whole machine (npm install -g ferrule)" ;;
    *[[:space:]%\"\\\$]* | *"'"*) fail "$path: systemd would misread this path" ;;
  esac
done

# put MODE FILE TARGET: only writes what differs, and says so.
put() {
  if cmp -s "$2" "$3" && [ "$(stat -c %a "$3")" = "$1" ]; then
    say "unchanged  $3"
  else
    mkdir -p "$(dirname -- "$3")"
    cp "$2" "$3.new"
    chmod "$1" "$3.new"
    mv -f "$3.new" "$3"
    say "installed  $3"
  fi
}

if [ -z "$root" ]; then
  getent group dialout >/dev/null || fail 'there is no group dialout; which group do serial ports have here? (ls -l /dev/ttyS0)'
  if ! getent passwd ferrule >/dev/null; then
    useradd --system --user-group --home-dir /var/lib/ferrule --no-create-home --shell /usr/sbin/nologin ferrule
    say 'made       user ferrule'
  fi
fi

unit=$(mktemp)
trap 'rm -f "$unit"' EXIT
sed -e "s|@NODE@|$node|" -e "s|@MAIN@|$main|" -e "s|@README@|$package/README.md|" "$here/ferrule.service" >"$unit"
put 644 "$unit" "$root/etc/systemd/system/ferrule.service"

# Your own rules stay: they name your devices.
rules=$root/etc/udev/rules.d/99-ferrule.rules
if [ -e "$rules" ]; then say "kept       $rules"; else put 644 "$here/../udev/99-ferrule.rules" "$rules"; fi

# The config may hold passwords: root writes it, the service reads it, nobody else does either.
mkdir -p "$root/etc/ferrule"
config=$root/etc/ferrule/ferrule.yaml
if [ -e "$config" ]; then
  say "kept       $config"
else
  # As the unit has it, so that `ferrule check` and `ferrule doctor`, which know no unit, look into the same folder.
  (umask 077 && "$node" "$main" init -c "$config" --data-dir /var/lib/ferrule)
fi
if [ -z "$root" ]; then
  chown root:ferrule /etc/ferrule "$config"
  chmod 750 /etc/ferrule
  chmod 640 "$config"
fi

[ -z "$root" ] || exit 0
# A package from npm has not been compiled for this node yet. Where that fails, starts are slower, and nothing else is.
"$node" "$package/dist/src/cli/keep-program.js" || :
systemctl daemon-reload
if [ $start = no ]; then
  say 'not started; `systemctl enable --now ferrule` does that'
  exit 0
fi
FERRULE_GATEWAY__DATA_DIR=/var/lib/ferrule "$node" "$main" check -c "$config" || fail "mend $config, then: systemctl enable --now ferrule"
systemctl enable --quiet ferrule
systemctl restart ferrule # also when it runs: after an update this is how the new version comes in
systemctl --no-pager --lines=0 status ferrule
