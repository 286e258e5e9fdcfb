// The unit and its scripts under a real systemd, in namespaces of its own: deploy/systemd/smoke.sh says what is done.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const NAMESPACES = ['--mount', '--pid', '--fork', '--uts', '--ipc', '--cgroup', '--net'];
// A new cgroup2 and an overlay: what a container that is not privileged may not make.
const MOUNTS = `d=$(mktemp -d) && mount -t tmpfs tmpfs $d && mkdir $d/1 $d/2 $d/3 && mount -t cgroup2 cgroup2 $d/1 && umount $d/1 &&
  mount -t overlay overlay -o lowerdir=/etc,upperdir=$d/2,workdir=$d/3 $d/1; code=$?; umount -R $d; rmdir $d; exit $code`;

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync('/lib/systemd/systemd')) return 'systemd is not installed';
  const made = spawnSync('unshare', [...NAMESPACES, 'sh', '-c', MOUNTS]);
  return made.status === 0 ? undefined : 'no namespaces, cgroup2 or overlay for us here';
}

const reason = whyNot();
const systemdTest = reason === undefined ? test.serial : test.serial.skip;

systemdTest(
  `a real systemd installs, watches, restarts and removes the service${reason ? ` (skipped: ${reason})` : ''}`,
  async (t) => {
    t.timeout(170_000);
    const child = spawn('bash', [join(ROOT, 'deploy/systemd/smoke.sh'), ROOT], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const pipe of [child.stdout, child.stderr]) pipe.on('data', (text) => (said += text));
    const code = await new Promise((resolve) => child.once('close', resolve));
    t.is(code, 0, said);
    t.regex(said, /^ok {3}WATCHDOG is not fed: another one runs$/m);
    t.notRegex(said, /^FAIL/m);
  },
);
