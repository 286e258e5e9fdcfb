#!/bin/sh
# Takes out what install.sh has put in. Your config, your udev rules and what is kept in /var/lib/ferrule stay, unless --purge.
# May be run again, and where nothing is installed.
#
#   sudo sh uninstall.sh [--purge]
#
# DESTDIR as for install.sh.
set -eu

say() { printf '%s\n' "$*"; }
fail() { printf 'uninstall.sh: %s\n' "$*" >&2; exit 1; }

purge=no
for arg in "$@"; do
  case $arg in
    --purge) purge=yes ;;
    *) fail "unknown argument $arg; usage: uninstall.sh [--purge]" ;;
  esac
done

root=${DESTDIR:-}
unit=$root/etc/systemd/system/ferrule.service
[ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "needs root: sudo sh $0"

if [ -z "$root" ] && [ -e "$unit" ]; then systemctl disable --now --quiet ferrule || true; fi

drop() {
  if [ -e "$1" ]; then
    rm -rf -- "$1"
    say "removed    $1"
  fi
}
drop "$unit"
[ -n "$root" ] || systemctl daemon-reload

if [ $purge = no ]; then
  for path in etc/ferrule etc/udev/rules.d/99-ferrule.rules var/lib/ferrule; do
    if [ -e "$root/$path" ]; then say "kept       $root/$path (--purge removes it)"; fi
  done
  exit 0
fi
drop "$root/etc/systemd/system/ferrule.service.d"
drop "$root/etc/udev/rules.d/99-ferrule.rules"
drop "$root/etc/ferrule"
drop "$root/var/lib/ferrule"
if [ -z "$root" ] && getent passwd ferrule >/dev/null; then
  userdel ferrule
  say 'removed    user ferrule'
fi
