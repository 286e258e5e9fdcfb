import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { formatChanges, NO_CHANGES, parseChanges, type RemoteChanges } from '../../src/config/remote-changes.js';
import { setAside, writeChangesFile } from '../../src/config/remote-changes-file.js';
import { loadFiles, problemLines } from '../support/config-files.js';
import { fc } from '../support/properties.js';

const DEVICE = { driver: 'lines', link: 'tcp://h:1' };

function folder(t: ExecutionContext): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-changes-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function changes(devices: Record<string, object>, enabled: Record<string, boolean> = {}): RemoteChanges {
  return {
    devices: new Map(Object.entries(devices)) as RemoteChanges['devices'],
    enabled: new Map(Object.entries(enabled)),
  };
}

function file(devices: Record<string, object>, enabled: Record<string, boolean> = {}): string {
  return formatChanges(changes(devices, enabled));
}

test('changes are read as they were written, whatever the names and values', (t) => {
  const devices = fc.dictionary(fc.string(), fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 })), {
    noNullPrototype: true,
  });
  const enabled = fc.dictionary(fc.string(), fc.boolean(), { noNullPrototype: true });
  fc.assert(
    fc.property(devices, enabled, (devices, enabled) => {
      fc.pre(!JSON.stringify([devices, enabled]).includes('__proto__'));
      const written = changes(devices as Record<string, object>, enabled);
      const read = parseChanges(formatChanges(written));
      t.true(read.ok);
      // Through JSON: -0 is 0 there.
      if (read.ok) t.is(formatChanges(read.changes), formatChanges(written));
    }),
  );
});

for (const [what, text, reason] of [
  ['half a file', '{"version":1,', /^not JSON/],
  ['a later version', '{"version":2,"devices":{},"enabled":{}}', /version/],
  ['a list for a map', '{"version":1,"devices":[],"enabled":{}}', /devices/],
  [
    'something nested without end',
    `{"version":1,"enabled":{},"devices":${'{"a":'.repeat(500)}1${'}'.repeat(500)}}`,
    /nested too deep/,
  ],
] as const) {
  test(`${what} is no file of changes, and is told why`, (t) => {
    const read = parseChanges(text);
    t.false(read.ok);
    if (!read.ok) t.regex(read.reason, reason);
  });
}

test('an added device is checked as the others are, and its mistakes name the file of changes', (t) => {
  const good = loadFiles({ 'ferrule.yaml': '', 'data/devices.json': file({ cell: DEVICE }) });
  t.true(good.ok);
  if (good.ok) {
    t.like(good.config.devices.cell, { driver: 'lines', qos: 1, enabled: true });
    t.like(good.kept, { name: 'data/devices.json', file: '/gw/data/devices.json', added: ['cell'], shadowed: [] });
  }
  const bad = loadFiles({ 'ferrule.yaml': '', 'data/devices.json': file({ cell: { ...DEVICE, qos: 7 } }) });
  t.deepEqual(problemLines(bad), ['data/devices.json devices.cell.qos: expected 0 or 1, got 7']);
});

test('variables and secrets of this machine are out of reach of who adds a device', (t) => {
  const options = { a: `\${HOME}`, b: '!file /etc/passwd' };
  const loaded = loadFiles(
    { 'ferrule.yaml': '', 'data/devices.json': file({ cell: { ...DEVICE, options } }) },
    { env: { HOME: '/root' } },
  );
  t.deepEqual(loaded.ok && loaded.config.devices.cell?.options, options);
});

test('the folder of the changes is gateway.data_dir, wherever that is said', (t) => {
  const files = { 'ferrule.yaml': 'gateway: { data_dir: kept }', '/gw/kept/devices.json': file({ cell: DEVICE }) };
  const loaded = loadFiles(files);
  t.deepEqual(loaded.ok && Object.keys(loaded.config.devices), ['cell']);
  const moved = loadFiles(files, { env: { FERRULE_GATEWAY__DATA_DIR: '/var/lib/f' } });
  t.is(moved.ok && moved.kept.file, '/var/lib/f/devices.json');
});

test('a switch wins over the file, over its defaults and over the environment; one for nobody is nothing', (t) => {
  const yaml =
    'devices:\n  a: { driver: lines, link: "tcp://h:1" }\n  b: { driver: lines, link: "tcp://h:2", enabled: false }\n';
  const loaded = loadFiles(
    { 'ferrule.yaml': yaml, 'data/devices.json': file({}, { a: false, b: true, gone: false }) },
    { env: { FERRULE_DEVICES__A__ENABLED: 'true' } },
  );
  t.true(loaded.ok);
  if (!loaded.ok) return;
  t.false(loaded.config.devices.a?.enabled);
  t.true(loaded.config.devices.b?.enabled);
  t.deepEqual([...loaded.kept.enabled.keys()], ['a', 'b']);
});

test('a device that the file has too is left to the file, and named', (t) => {
  const yaml = 'devices: { cell: { driver: raw, link: "tcp://h:9" } }';
  const loaded = loadFiles({ 'ferrule.yaml': yaml, 'data/devices.json': file({ cell: DEVICE }) });
  t.is(loaded.ok && loaded.config.devices.cell?.driver, 'raw');
  t.deepEqual(loaded.ok && loaded.kept.shadowed, ['cell']);
});

test('a file of changes that cannot be used is told, and the config is good without it', (t) => {
  const loaded = loadFiles({ 'ferrule.yaml': '', 'data/devices.json': '{' });
  t.regex((loaded.ok && loaded.kept.trouble) || '', /^not JSON/);
  t.deepEqual(loaded.ok && loaded.kept.changes, NO_CHANGES);
});

test('the file is replaced as a whole, readable by its owner only, and nothing is left beside it', async (t) => {
  const dir = path.join(folder(t), 'not', 'there', 'yet');
  const target = path.join(dir, 'devices.json');
  await writeChangesFile(target, 'one');
  await writeChangesFile(target, 'two');
  t.is(readFileSync(target, 'utf8'), 'two');
  t.deepEqual(readdirSync(dir), ['devices.json']);
  t.is(statSync(target).mode & 0o777, 0o600);
});

test('where the new file cannot be written, the old one stays', async (t) => {
  const target = path.join(folder(t), 'devices.json');
  await writeChangesFile(target, 'one');
  mkdirSync(`${target}.tmp`);
  await t.throwsAsync(() => writeChangesFile(target, 'two'), { code: 'EISDIR' });
  t.is(readFileSync(target, 'utf8'), 'one');
});

test('a file that is set aside keeps its content under a new name', async (t) => {
  const target = path.join(folder(t), 'devices.json');
  await writeChangesFile(target, 'broken');
  const aside = await setAside(target, 'broken-1');
  t.is(aside, `${target}.broken-1`);
  t.is(readFileSync(aside, 'utf8'), 'broken');
  t.deepEqual(readdirSync(path.dirname(target)), ['devices.json.broken-1']);
});
