// Devices that are added, removed, enabled and disabled over MQTT, against the real process: at once, after a restart, beside
// the user's file, and when something is in the way.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BASE, BridgeRig } from '../support/bridge-rig.js';
import { brokerTest } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { ferrule } from '../support/ferrule-command.js';

const CHANGES = 'devices.json';

brokerTest('an added device runs at once and after a restart; the file of the user stays as it was', async (t) => {
  const rig = await BridgeRig.start(t);
  const added = await rig.ask('device/add', { id: 'hall/cell', config: rig.cellConfig, transaction: 'a-1' });
  t.like(added, { status: 'ok', data: { id: 'hall/cell' }, transaction: 'a-1' });
  await rig.hears(rig.cell, 'hall/cell', 'one');
  t.like((await rig.devices()).at(-1), { name: 'hall/cell', state: 'online', origin: 'mqtt' });
  t.is(rig.scale.accepted, 1, 'the neighbour was not touched');
  t.deepEqual(JSON.parse(rig.kept ?? ''), { version: 1, devices: { 'hall/cell': rig.cellConfig }, enabled: {} });
  t.deepEqual(readdirSync(rig.gateway.dir), ['ferrule.yaml']);

  await rig.restart();
  await eventually(() => rig.cell.accepted === 2, 'the added device to be opened again');
  t.like((await rig.devices()).at(-1), { name: 'hall/cell', origin: 'mqtt' });
  t.is((await rig.ask('device/remove', { id: 'hall/cell' })).status, 'ok');
  await eventually(
    () => rig.subscriber.texts(`${BASE}/hall/cell/availability`).at(-1) === '',
    'the cleared availability',
  );
  t.deepEqual(
    (await rig.devices()).map(({ name }) => name),
    ['scale'],
  );
  await rig.restart();
  t.deepEqual(
    (await rig.devices()).map(({ name }) => name),
    ['scale'],
  );
});

brokerTest('the flat form of zigbee2mqtt is an addition too; defaults of the config hold for it', async (t) => {
  const rig = await BridgeRig.start(t);
  await rig.restart(`${rig.config()}defaults: { retain: true }\n`);
  t.is((await rig.ask('device/add', { id: 'cell', ...rig.cellConfig })).status, 'ok');
  await rig.hears(rig.cell, 'cell', 'one');
  const info = rig.subscriber.last(`${BASE}/bridge/info`) as { config: { devices: Record<string, object> } };
  t.like(info.config.devices.cell, { retain: true, driver: 'lines' });
});

brokerTest('what cannot be added is refused in the words of `ferrule check`, and nothing is changed', async (t) => {
  const rig = await BridgeRig.start(t);
  const before = (await rig.devices()).map(({ name }) => name);
  const { cellConfig: good } = rig;
  const port = await rig.ask('device/add', {
    id: 'a',
    config: { driver: 'lines', link: 'tcp-listen://127.0.0.1:7777' },
  });
  t.is(port.status, 'ok');
  for (const [body, sentence] of [
    [
      { id: 'x', config: { driver: 'lines', link: { type: 'serial', path: '/dev/x', baud_rate: 'fast' } } },
      /^devices\.x\.link\.baud_rate: expected a positive integer, got "fast"$/,
    ],
    [
      { id: 'x', config: { driver: 'lnies', link: 'tcp://h:1' } },
      /^devices\.x\.driver: no driver "lnies"; did you mean "lines"\?/,
    ],
    [
      { id: 'x', config: { ...good, sielnt_after: '1s' } },
      /^devices\.x: unknown key "sielnt_after", did you mean "silent_after"\?$/,
    ],
    [
      { id: 'x', config: { driver: 'lines', link: 'tcp-listen://localhost:7777' } },
      /^devices\.x\.link: "x" and "a" \(.*devices\.json\) share one address/,
    ],
    [{ id: 'scale', config: good }, /^"scale" is defined at ferrule\.yaml:4:3: change it there$/],
    [{ id: 'a', config: good }, /^"a" was added already: remove it first$/],
    [{ id: 'x' }, /^devices\.x\.driver: expected the name of a driver/],
    [{ id: 'x', config: 'lines' }, /^"config": expected an object/],
    [{ id: 'x', config: good, retain: true }, /^unknown key "retain" beside "config"/],
    [{ config: good }, /^"id" is missing/],
    [{ id: 'x', config: { driver: 'lines', link: { type: 'serial', path: '/dev/\0' } } }, /NUL/],
  ] as const) {
    const { status, error } = await rig.ask('device/add', body);
    t.is(status, 'error', JSON.stringify(body));
    t.regex(error ?? '', sentence);
  }
  const names = [
    'a+',
    '#',
    '../../etc/passwd',
    'a/../b',
    '/a',
    'a//b',
    'a/set',
    'bridge/x',
    'a\0',
    '__proto__',
    'constructor',
    '$SYS',
    'x'.repeat(201),
  ];
  for (const id of names) {
    const { status, error } = await rig.ask('device/add', { id, config: good });
    t.is(status, 'error', id);
    t.regex(error ?? '', /^the name ".*" (?:contains|has|is|begins)/, id);
  }
  t.deepEqual(
    (await rig.devices()).map(({ name }) => name),
    [...before, 'a'],
  );
  t.deepEqual(Object.keys(JSON.parse(rig.kept ?? '').devices), ['a']);
  t.is(rig.scale.accepted, 1);
});

brokerTest('a device of the file is never removed, but disabled: until it is enabled, restarts included', async (t) => {
  const rig = await BridgeRig.start(t);
  const { error } = await rig.ask('device/remove', { id: 'scale' });
  t.is(error, '"scale" is defined at ferrule.yaml:4:3: remove it there, or use device/disable');
  await rig.hears(rig.scale, 'scale', 'before');
  const line = await rig.scale.connection();

  t.like(await rig.ask('device/disable', { id: 'scale' }), { status: 'ok', data: { id: 'scale', enabled: false } });
  const listed = [{ name: 'scale', state: 'disabled', origin: 'config', override: 'disabled' }];
  t.like(await rig.devices(), listed);
  await eventually(() => line.destroyed, 'the closed connection');
  t.regex(
    (await rig.ask('device/restart', { id: 'scale' })).error ?? '',
    /^scale is disabled: send device\/enable first$/,
  );
  const info = rig.subscriber.last(`${BASE}/bridge/info`);
  t.like(info, { changed_over_mqtt: { added: [], disabled: ['scale'] } });

  await rig.restart();
  t.like(await rig.devices(), listed);
  t.like(await rig.reload(rig.config()), { status: 'ok' });
  t.like(await rig.devices(), listed);
  const check = await ferrule(rig.gateway.dir, ['check']);
  t.regex(check.out, /^scale {2}lines on tcp:\/\/127\.0\.0\.1:\d+ \(disabled over MQTT\)$/m);

  t.is((await rig.ask('device/enable', { id: 'scale' })).status, 'ok');
  await rig.hears(rig.scale, 'scale', 'after');
  t.deepEqual(JSON.parse(rig.kept ?? ''), { version: 1, devices: {}, enabled: {} });
  t.regex((await rig.ask('device/enable', { id: 'scael' })).error ?? '', /^no device "scael"; there are scale$/);
});

brokerTest('a reload keeps added devices; one that the file has now too is left to the file', async (t) => {
  const rig = await BridgeRig.start(t);
  t.is((await rig.ask('device/add', { id: 'cell', config: rig.cellConfig })).status, 'ok');
  await rig.hears(rig.cell, 'cell', 'one');
  t.like(await rig.reload(`${rig.config()}log: { level: debug }\n`), {
    status: 'ok',
    data: { removed: [], changed: [] },
  });
  t.is(rig.cell.accepted, 1);

  const both = rig.config(`  cell: { driver: lines, retain: true, link: "tcp://127.0.0.1:${rig.cell.port}" }\n`);
  t.like(await rig.reload(both), { status: 'ok', data: { changed: ['cell'] } });
  await rig.gateway.waitForLog('cell was added over MQTT, and the config has it now too: the config counts');
  t.like((await rig.devices()).at(-1), { name: 'cell', origin: 'config' });
  t.regex((await rig.ask('device/remove', { id: 'cell' })).error ?? '', /^"cell" is defined at ferrule\.yaml:5:3/);
});

brokerTest(
  'what no longer fits the file is left out and said; a file that is being edited counts with the reload',
  async (t) => {
    const rig = await BridgeRig.start(t);
    const link = 'tcp-listen://127.0.0.1:17654';
    t.is((await rig.ask('device/add', { id: 'door', config: { driver: 'lines', link } })).status, 'ok');
    const text = rig.config(`  gate: { driver: lines, link: "${link}" }\n`);
    writeFileSync(path.join(rig.gateway.dir, 'ferrule.yaml'), `${text}  half: {`);
    t.is(
      (await rig.ask('device/add', { id: 'cell', config: rig.cellConfig })).status,
      'ok',
      'not the moment to read it',
    );
    t.is((await rig.ask('reload', {})).status, 'error');

    t.is((await rig.reload(text)).status, 'ok');
    const { level } = await rig.gateway.waitForLog('door: what was changed over MQTT is left out: ');
    t.is(level, 'warn');
    t.deepEqual(
      (await rig.devices()).map(({ name }) => name),
      ['scale', 'gate', 'cell'],
    );
    t.is((await rig.reload(rig.config())).status, 'ok');
    t.deepEqual(
      (await rig.devices()).map(({ name }) => name),
      ['scale', 'door', 'cell'],
      'it was kept all the time',
    );
  },
);

brokerTest(
  'a broken file of changes is set aside with its name in the log, and the gateway runs without it',
  async (t) => {
    const rig = await BridgeRig.start(t);
    for (const text of [
      '{"version":1,"devices":{"cell":',
      '{"version":2}',
      `{"version":1,"devices":${'['.repeat(5000)}`,
    ]) {
      writeFileSync(path.join(rig.dataDir, CHANGES), text);
      await rig.restart();
      const { file } = await rig.gateway.waitForLog('what was changed over MQTT is lost');
      t.true(readdirSync(rig.dataDir).includes(path.basename(String(file))));
      t.is(rig.kept, undefined);
      t.deepEqual(
        (await rig.devices()).map(({ name }) => name),
        ['scale'],
      );
    }
    t.is((await rig.ask('device/add', { id: 'cell', config: rig.cellConfig })).status, 'ok');
    await rig.hears(rig.cell, 'cell', 'one');
  },
);

brokerTest('a device that cannot be kept is not added at all', async (t) => {
  const rig = await BridgeRig.start(t);
  mkdirSync(path.join(rig.dataDir, `${CHANGES}.tmp`)); // as a full disk: the new file cannot be written
  const { error } = await rig.ask('device/add', { id: 'cell', config: rig.cellConfig });
  t.regex(error ?? '', /^nothing was changed: it cannot be kept in .*devices\.json: /);
  t.deepEqual(
    (await rig.devices()).map(({ name }) => name),
    ['scale'],
  );
  t.is(rig.cell.accepted, 0);
  t.is(rig.kept, undefined);
  rmSync(path.join(rig.dataDir, `${CHANGES}.tmp`), { recursive: true });
  t.is((await rig.ask('device/add', { id: 'cell', config: rig.cellConfig })).status, 'ok');
});

brokerTest('changes that come together are made one after the other, a reload among them', async (t) => {
  const rig = await BridgeRig.start(t);
  const link = (port: number): string => `tcp-listen://127.0.0.1:${port}`;
  const add = (id: string, port: number) =>
    rig.ask('device/add', { id, config: { driver: 'lines', link: link(port) } });
  const answers = await Promise.all([
    add('a', 17701),
    add('b', 17702),
    rig.ask('reload', {}),
    add('c', 17701),
    add('a', 17703),
    rig.ask('device/disable', { id: 'a' }),
  ]);
  t.deepEqual(
    answers.map(({ status }) => status),
    ['ok', 'ok', 'ok', 'error', 'error', 'ok'],
  );
  t.deepEqual(
    (await rig.devices()).map(({ name, state }) => [name, state]),
    [
      ['scale', 'online'],
      ['a', 'disabled'],
      ['b', 'online'],
    ],
  );
  t.deepEqual(JSON.parse(rig.kept ?? '').enabled, { a: false });
});
