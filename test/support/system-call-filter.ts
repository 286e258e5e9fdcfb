// The system call filter of a systemd unit, without systemd as process 1: its groups are looked up with systemd-analyze, and a
// python3 with libseccomp sets the filter and becomes the program.

import { spawnSync } from 'node:child_process';

const SET_FILTER = `
import ctypes, os, sys
lib = ctypes.CDLL('libseccomp.so.2')
lib.seccomp_init.restype = ctypes.c_void_p
filter = ctypes.c_void_p(lib.seccomp_init(0x00050001)) # SCMP_ACT_ERRNO(EPERM)
for name in sys.argv[1].split(','):
    number = lib.seccomp_syscall_resolve_name(name.encode())
    if number >= 0 and lib.seccomp_rule_add(filter, 0x7fff0000, number, 0) != 0: sys.exit('no rule for ' + name)
if lib.seccomp_load(filter) != 0: sys.exit('no filter')
os.execv(sys.argv[2], sys.argv[2:])
`;

/** Why a program cannot be put under a filter here; undefined where it can. */
export function noFilterHere(): string | undefined {
  if (spawnSync('systemd-analyze', ['--version']).status !== 0) return 'systemd-analyze is not installed';
  const probe = spawnSync('python3', ['-c', 'import ctypes; ctypes.CDLL("libseccomp.so.2")']);
  return probe.status === 0 ? undefined : 'no python3 with libseccomp.so.2';
}

/** The names of the calls that the lines `SystemCallFilter=` of a unit allow. */
export function allowedCalls(unit: string): ReadonlySet<string> {
  const groups = systemdGroups();
  const allowed = new Set<string>();
  for (const [, words = ''] of unit.matchAll(/^SystemCallFilter=(.*)$/gm)) {
    const isDenied = words.startsWith('~');
    for (const name of words.replace('~', '').split(/\s+/)) {
      for (const call of expand(name, groups)) {
        if (isDenied) allowed.delete(call);
        else allowed.add(call);
      }
    }
  }
  return allowed;
}

/** The command line that runs `program` under a filter: any other call fails with EPERM. */
export function filtered(
  allowed: ReadonlySet<string>,
  program: readonly string[],
): readonly [string, readonly string[]] {
  return ['python3', ['-c', SET_FILTER, [...allowed].join(','), ...program]];
}

/** Group -> its calls and groups. */
function systemdGroups(): ReadonlyMap<string, readonly string[]> {
  const { stdout } = spawnSync('systemd-analyze', ['syscall-filter', '--no-pager'], { encoding: 'utf8' });
  const groups = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of stdout.split('\n')) {
    const [, indent = '', word = ''] = /^(\s*)(@?[a-z]\w*(?:-\w+)*)$/.exec(line) ?? [];
    if (word === '') continue;
    if (indent === '') {
      current = [];
      groups.set(word, current);
    } else current.push(word);
  }
  return groups;
}

function expand(name: string, groups: ReadonlyMap<string, readonly string[]>): string[] {
  return name.startsWith('@') ? (groups.get(name) ?? []).flatMap((inner) => expand(inner, groups)) : [name];
}
