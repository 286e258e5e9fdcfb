import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type FoundPort, runInit } from '../../src/cli/init.js';
import { loadConfig } from '../../src/config/load.js';

const PORTS: readonly FoundPort[] = [
  { path: '/dev/ttyUSB0', byId: '/dev/serial/by-id/usb-FTDI_FT232R-if00-port0', product: 'FT232R\n: "UART"' },
  { path: '/dev/ttyACM0', product: 'Arduino Uno # 1' },
  { path: '/dev/ttyS0' },
];

function folder(t: ExecutionContext): string {
  const cwd = mkdtempSync(join(tmpdir(), 'ferrule-init-'));
  t.teardown(() => rmSync(cwd, { recursive: true }));
  return cwd;
}

function init(cwd: string, ports: readonly FoundPort[]): { code: number; out: string[]; err: string[] } {
  const out: string[] = [];
  const err: string[] = [];
  const code = runInit({ ports, cwd, out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out, err };
}

for (const count of [0, 1, 3]) {
  test(`what init writes for ${count} ports is a config without problems`, (t) => {
    const cwd = folder(t);
    t.is(init(cwd, PORTS.slice(0, count)).code, 0);
    const result = loadConfig({ cwd, env: {}, hostname: 'board' });
    t.true(result.ok, JSON.stringify(result));
    const devices = result.ok ? Object.values(result.config.devices) : [];
    t.deepEqual(
      devices.map(({ link }) => link.type === 'serial' && link.path),
      PORTS.slice(0, count).map(({ byId, path }) => byId ?? path),
    );
  });
}

test('the examples in comments are right too, once uncommented', (t) => {
  for (const ports of [[], PORTS]) {
    const cwd = folder(t);
    init(cwd, ports);
    const text = readFileSync(join(cwd, 'ferrule.yaml'), 'utf8')
      .replace(/^# gateway/m, 'gateway')
      .replaceAll(/^#(?= {2})/gm, '');
    const result = loadConfig({ cwd, env: { FERRULE_CONFIG: text }, hostname: 'board' });
    t.true(result.ok, JSON.stringify(result));
    t.is(result.ok && Object.keys(result.config.devices).length, 3 + Math.max(0, ports.length - 1));
  }
});

test('for a service it says where the service keeps what outlives a restart', (t) => {
  const cwd = folder(t);
  runInit({ ports: PORTS, dataDir: '/var/lib/ferrule', cwd, out: () => {}, err: () => {} });
  const text = readFileSync(join(cwd, 'ferrule.yaml'), 'utf8').replace('  # id:', '  id:');
  const result = loadConfig({ cwd, env: { FERRULE_CONFIG: text }, hostname: 'board' });
  t.like(result.ok && result.config.gateway, { data_dir: '/var/lib/ferrule', id: 'my-gateway' });
});

test('init never overwrites', (t) => {
  const cwd = folder(t);
  init(cwd, []);
  const before = readFileSync(join(cwd, 'ferrule.yaml'), 'utf8');
  const again = init(cwd, PORTS);
  t.deepEqual(again, { code: 64, out: [], err: ['ferrule.yaml exists already; nothing was written'] });
  t.is(readFileSync(join(cwd, 'ferrule.yaml'), 'utf8'), before);
});

test('init says why it cannot write', (t) => {
  t.deepEqual(init('/nonexistent', []), {
    code: 64,
    out: [],
    err: ['cannot write ferrule.yaml: no such file'],
  });
});
