// The command line as a user meets it: the built process, its exit codes and what it prints where.

import { type StdioOptions, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { ferrule, folderFor, MAIN } from '../support/ferrule-command.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

test.serial('without arguments the help is on stderr, exit code 64; --help is on stdout, exit code 0', async (t) => {
  const dir = folderFor(t);
  const [bare, help] = await Promise.all([ferrule(dir, []), ferrule(dir, ['--help'])]);
  t.deepEqual([bare.code, bare.out], [64, '']);
  t.deepEqual([help.code, help.err], [0, '']);
  t.is(bare.err, help.out);
  for (const command of ['run', 'check', 'monitor', 'demo', 'init', 'ports', 'schema'])
    t.regex(help.out, new RegExp(`^  ${command} `, 'm'));
});

test.serial('an unknown command or option is named, with the help on stderr, exit code 64', async (t) => {
  const dir = folderFor(t);
  const usages: [string[], RegExp][] = [
    [['rnu'], /^error: unknown command 'rnu'\n\(Did you mean run\?\)\n\nUsage: ferrule /],
    [['run', '--colour'], /^error: unknown option '--colour'\n\nUsage: ferrule run /],
    [['check', '-c'], /^error: option '-c, --config <file>' argument missing\n\nUsage: ferrule check /],
    [
      ['check', 'my.yaml'],
      /^error: too many arguments for 'check'.*\n\nUsage: ferrule check .*\n(?:.*\n)*.*-c, --config <file>/,
    ],
  ];
  for (const [args, expected] of usages) {
    const { code, out, err } = await ferrule(dir, args);
    t.deepEqual([code, out], [64, ''], args.join(' '));
    t.regex(err, expected);
  }
});

test.serial('--version is the version of the package', async (t) => {
  const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  const { code, out, err } = await ferrule(folderFor(t), ['--version']);
  t.deepEqual([code, out, err], [0, `${version}\n`, '']);
});

test.serial('ports lists a table, or says what to check; --json is JSON', async (t) => {
  const dir = folderFor(t);
  const [table, json] = await Promise.all([ferrule(dir, ['ports']), ferrule(dir, ['ports', '--json'])]);
  t.deepEqual([table.code, table.err, json.code, json.err], [0, '', 0, '']);
  const ports: { path: string }[] = JSON.parse(json.out);
  t.true(Array.isArray(ports));
  t.regex(table.out, ports.length > 0 ? /^PATH +USB ID +SERIAL +DEVICE +HELD BY +BY-ID\n/ : /^No serial ports found/);
  for (const port of ports) t.true(table.out.includes(port.path), port.path);
});

test.serial('what init writes passes check, and it is never overwritten', async (t) => {
  const dir = folderFor(t);
  const first = await ferrule(dir, ['init']);
  t.is(first.code, 0, first.err);
  t.regex(first.out, /^wrote ferrule\.yaml with \d+ serial ports?\n/);
  const file = path.join(dir, 'ferrule.yaml');
  const written = readFileSync(file, 'utf8');
  const check = await ferrule(dir, ['check']);
  t.is(check.code, 0, check.err);
  t.regex(check.out, /^ferrule\.yaml: ok, \d+ devices?, topics below ferrule\//m);
  const again = await ferrule(dir, ['init']);
  t.deepEqual([again.code, again.err], [64, 'ferrule.yaml exists already; nothing was written\n']);
  t.is(readFileSync(file, 'utf8'), written);
});

test.serial('schema is JSON, whole also through a pipe', async (t) => {
  const { code, out } = await ferrule(folderFor(t), ['schema']);
  t.is(code, 0);
  t.like(JSON.parse(out), { type: 'object' });
});

test.serial('output that a full disk does not take is said, with an exit code of its own', (t) => {
  const full = openSync('/dev/full', 'w');
  t.teardown(() => closeSync(full));
  const stdio: StdioOptions = ['ignore', full, 'pipe'];
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'schema'], {
    cwd: folderFor(t),
    stdio,
    encoding: 'utf8',
  });
  t.is(stderr, 'ferrule: not all of the output could be written: ENOSPC: no space left on device, write\n');
  t.is(status, 1);
});

test.serial('run in an empty folder says what it looked for and how to make it, exit code 78', async (t) => {
  const dir = folderFor(t);
  const { code, out, errLines } = await ferrule(dir, ['run']);
  t.deepEqual([code, out], [78, '']);
  t.is(errLines[0], `no config file; looked for ${path.join(dir, 'ferrule.yaml')}, /etc/ferrule/ferrule.yaml`);
  t.regex(errLines[1] ?? '', /`ferrule init`.*-c FILE.*`ferrule demo`/);
});

test.serial('run with the embedded broker on a port that is taken says so and ends', async (t) => {
  const server = net.createServer();
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo; // listens on TCP
  const dir = folderFor(t, { 'ferrule.yaml': `mqtt: { url: embedded, embedded: { port: ${port} } }` });
  const { code, out } = await ferrule(dir, ['run']);
  const last = JSON.parse(out.trim().split('\n').at(-1) ?? '');
  t.is(last.level, 'error');
  t.regex(
    last.msg,
    new RegExp(`^embedded broker on 127\\.0\\.0\\.1:${port}: the port is taken, .*choose another port`),
  );
  t.is(code, 78);
});

test.serial('the example config of the README passes check', async (t) => {
  const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  const example = /<!-- example:begin -->\s*```yaml\n([\s\S]*?)```\s*<!-- example:end -->/.exec(readme)?.[1];
  t.truthy(example, 'the README has an example between its markers');
  const { code, out, err } = await ferrule(folderFor(t, { 'ferrule.yaml': example ?? '' }), ['check']);
  t.is(code, 0, err);
  t.regex(out, /^scale +lines on serial:\/dev\/ttyUSB0\ncell +json-lines on tcp:\/\/10\.0\.0\.5:4001\n/);
});

/** The YAML examples of a document, as they stand. */
function examples(document: string): string[] {
  const text = readFileSync(path.join(ROOT, document), 'utf8');
  return [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, example = '']) => example);
}

for (const document of ['README.md', 'devices/README.md']) {
  test.serial(`every example in ${document} is right`, async (t) => {
    const found = examples(document);
    t.true(found.length >= 3);
    for (const example of found) {
      const isSim = example.startsWith('# sim.yaml');
      const file = isSim ? 'sim.yaml' : 'ferrule.yaml';
      const dir = folderFor(t, { [file]: example });
      const { code, err } = await ferrule(dir, isSim ? ['sim', file, '--print-config'] : ['check']);
      t.is(code, 0, `${example}\n${err}`);
    }
  });
}

test('the test in the README is the one that is run', (t) => {
  const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  const shown = /<!-- hil:begin -->\s*```ts\n([\s\S]*?)```\s*<!-- hil:end -->/.exec(readme)?.[1];
  const run = readFileSync(path.join(ROOT, 'test/e2e/hil-example.test.ts'), 'utf8');
  t.is(shown, run.slice(run.indexOf('import test')));
});
