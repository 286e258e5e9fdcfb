// The unit and its scripts: what systemd itself says of the unit, what two installs in a row leave behind, and whether a gateway
// can live with the system calls that it is left.

import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '../../src/config/load.js';
import { systemClock } from '../../src/core/clock.js';
import { openPtyLine } from '../../src/hil/virtual-pty-line.js';
import { eventually } from '../support/eventually.js';
import { folderFor } from '../support/ferrule-command.js';
import { allowedCalls, filtered, noFilterHere } from '../support/system-call-filter.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const DIST = fileURLToPath(new URL('../../', import.meta.url));
const UNIT = readFileSync(join(ROOT, 'deploy/systemd/ferrule.service'), 'utf8');
/** As systemd-analyze counts: 0 is none, 10 is all. A root service without any of this has 9.6. */
const MAX_EXPOSURE = 1.6;

const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;

/** A test that needs systemd-analyze. */
function analyzeTest(title: string, body: (t: ExecutionContext) => void): void {
  if (hasAnalyze) test(title, body);
  else test.skip(`${title} (skipped: systemd-analyze is not installed)`, () => {});
}

/** A package as npm installs it, and a root to install the service into. */
class Machine {
  readonly root: string;
  readonly #package: string;

  constructor(t: ExecutionContext) {
    const dir = folderFor(t);
    this.root = join(dir, 'root');
    this.#package = join(dir, 'package');
    for (const folder of [this.root, this.#package]) mkdirSync(folder);
    cpSync(join(ROOT, 'deploy'), join(this.#package, 'deploy'), { recursive: true });
    symlinkSync(DIST, join(this.#package, 'dist'));
  }

  run(script: 'install.sh' | 'uninstall.sh', args: readonly string[] = [], node = process.execPath) {
    const env = { ...process.env, NODE_V8_COVERAGE: '', DESTDIR: this.root, NODE: node };
    const file = join(this.#package, 'deploy/systemd', script);
    const { status, stdout, stderr } = spawnSync('sh', [file, ...args], { env, encoding: 'utf8' });
    return { status, out: stdout, err: stderr };
  }

  /** Every file of the root with its mode, time and text. */
  files(): Map<string, string> {
    const names = readdirSync(this.root, { recursive: true, encoding: 'utf8' });
    const files = names
      .map((name) => [name, join(this.root, name)] as const)
      .filter(([, path]) => statSync(path).isFile());
    return new Map(
      files.map(([name, path]) => [
        name,
        `${statSync(path).mode} ${statSync(path).mtimeMs} ${readFileSync(path, 'utf8')}`,
      ]),
    );
  }

  path(name: string): string {
    return join(this.root, name);
  }
}

const INSTALLED = [
  'etc/ferrule/ferrule.yaml',
  'etc/systemd/system/ferrule.service',
  'etc/udev/rules.d/99-ferrule.rules',
];

test('an install that is run twice changes nothing the second time', (t) => {
  const machine = new Machine(t);
  const first = machine.run('install.sh');
  t.is(first.status, 0, first.err);
  const files = machine.files();
  t.deepEqual([...files.keys()].sort(), INSTALLED);
  const second = machine.run('install.sh');
  t.is(second.status, 0, second.err);
  t.deepEqual(machine.files(), files);
  t.regex(second.out, /^unchanged .*ferrule\.service$/m);
});

test('an install brings an old unit up to date, and keeps the config and the rules of its user', (t) => {
  const machine = new Machine(t);
  machine.run('install.sh');
  const wanted = readFileSync(machine.path('etc/systemd/system/ferrule.service'), 'utf8');
  for (const name of INSTALLED) writeFileSync(machine.path(name), 'mine');
  t.is(machine.run('install.sh').status, 0);
  const now = INSTALLED.map((name) => readFileSync(machine.path(name), 'utf8'));
  t.deepEqual(now, ['mine', wanted, 'mine']);
});

test('the config that an install writes is good, and nobody else may read it', (t) => {
  const machine = new Machine(t);
  machine.run('install.sh');
  const config = machine.path('etc/ferrule/ferrule.yaml');
  t.is(statSync(config).mode & 0o077, 0);
  const check = spawnSync(process.execPath, [join(DIST, 'src/cli/main.js'), 'check', '-c', config], {
    env: { ...process.env, NODE_V8_COVERAGE: '' },
    encoding: 'utf8',
  });
  t.is(check.status, 0, check.stderr);
});

test('check and doctor look where the service keeps what outlives a restart: the first config says so too', (t) => {
  const machine = new Machine(t);
  machine.run('install.sh');
  const result = loadConfig({ path: machine.path('etc/ferrule/ferrule.yaml'), cwd: '/', env: {}, hostname: 'board' });
  const ofService = /^Environment=FERRULE_GATEWAY__DATA_DIR=(.+)$/m.exec(UNIT)?.[1];
  t.is(result.ok && result.config.gateway.data_dir, ofService ?? 'nothing in the unit');
});

test('an uninstall leaves config and rules, a purge leaves nothing, and both can be run twice', (t) => {
  const machine = new Machine(t);
  machine.run('install.sh');
  for (let round = 0; round < 2; round++) {
    t.is(machine.run('uninstall.sh').status, 0);
    t.deepEqual(
      [...machine.files().keys()].sort(),
      INSTALLED.filter((name) => !name.includes('systemd')),
    );
  }
  for (let round = 0; round < 2; round++) {
    t.is(machine.run('uninstall.sh', ['--purge']).status, 0);
    t.deepEqual([...machine.files().keys()], []);
  }
  t.is(machine.run('install.sh').status, 0);
});

test('an install that cannot work says why, and installs nothing', (t) => {
  const machine = new Machine(t);
  const unknown = machine.run('install.sh', ['--fast']);
  t.is(unknown.status, 1);
  t.regex(unknown.err, /unknown argument --fast/);
  const missing = machine.run('install.sh', [], '/nonexistent/node');
  t.is(missing.status, 1);
  t.regex(missing.err, /no node at/);
  t.deepEqual([...machine.files().keys()], []);
});

analyzeTest('systemd has nothing to say against the installed unit', (t) => {
  const machine = new Machine(t);
  machine.run('install.sh');
  const unit = machine.path('etc/systemd/system/ferrule.service');
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
  t.is(`${stdout}${stderr}`, ''); // an unknown key is a line, and no error
  t.is(status, 0);
});

analyzeTest(`systemd counts an exposure of at most ${MAX_EXPOSURE}`, (t) => {
  const machine = new Machine(t);
  machine.run('install.sh');
  const args = ['security', '--offline=true', '--no-pager', `--threshold=${MAX_EXPOSURE * 10}`];
  const unit = machine.path('etc/systemd/system/ferrule.service');
  const { status, stdout } = spawnSync('systemd-analyze', [...args, unit], { encoding: 'utf8' });
  t.log(stdout.trim().split('\n').at(-1));
  t.is(status, 0, stdout);
});

function setting(key: string): string {
  return new RegExp(`^${key}=(.*)$`, 'm').exec(UNIT)?.[1] ?? '';
}

test('the unit gives a shutdown more time than the gateway takes, and does not retry what cannot get right', (t) => {
  t.true(Number(setting('TimeoutStopSec')) > 8 + 5, 'over gateway.shutdown_deadline and what STOPPING asks for');
  t.is(setting('RestartPreventExitStatus'), '64 78');
  t.is(setting('Type'), 'notify');
  t.true(Number(setting('WatchdogSec')) > 0);
});

const noFilter = noFilterHere();
const filterTest = noFilter === undefined ? test : test.skip;
const NOT_HERE = noFilter === undefined ? '' : ` (skipped: ${noFilter})`;

filterTest(
  `a gateway with a serial port, a worker and a spool lives with the system calls of the unit${NOT_HERE}`,
  async (t) => {
    const allowed = allowedCalls(UNIT);
    t.true(allowed.has('openat') && allowed.has('mmap') && !allowed.has('chown') && !allowed.has('mount'));
    const [python, chown] = filtered(allowed, [process.execPath, '-e', 'fs.chownSync(".", 0, 0)']);
    t.regex(spawnSync(python, chown, { encoding: 'utf8' }).stderr, /EPERM/, 'the filter is in force');
    const line = await openPtyLine({ clock: systemClock });
    t.teardown(() => line.close());
    const config = {
      mqtt: { url: 'embedded', embedded: { port: 0 } },
      spool: { mode: 'always' },
      devices: { scale: { driver: 'json-lines', link: line.link, isolation: 'worker' } },
    };
    const dir = folderFor(t, { 'ferrule.yaml': JSON.stringify(config) });
    const main = join(DIST, 'src/cli/main.js');
    const [command, args] = filtered(allowed, [process.execPath, main, 'run', '-c', join(dir, 'ferrule.yaml')]);
    const child = spawn(command, args, {
      env: { ...process.env, NODE_V8_COVERAGE: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    const said: string[] = [];
    const online = new Promise<void>((resolve) => {
      createInterface({ input: child.stdout }).on('line', (text) => {
        said.push(text);
        if (
          ['online on serial', 'connected to the broker'].every((words) => said.some((other) => other.includes(words)))
        )
          resolve();
      });
    });
    child.stderr.on('data', (text) => said.push(String(text)));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await Promise.race([online, ended]);
    line.send(Buffer.from('{"kg":5}\n'));
    const hasSpooled = (): boolean => existsSync(join(dir, 'data/spool')) || child.exitCode !== null;
    await eventually(hasSpooled, 'a reading in the spool');
    child.kill('SIGTERM');
    t.is(await ended, 0, said.join('\n'));
    t.true(existsSync(join(dir, 'data/spool')), said.join('\n'));
  },
);
