import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { examineLinks } from '../../src/cli/doctor-ports.js';
import { systemClock } from '../../src/core/clock.js';
import { openPtyLine } from '../../src/hil/virtual-pty-line.js';
import { loadText } from '../support/config-files.js';
import { folderFor } from '../support/ferrule-command.js';

const LONG = '/usr/local/lib/nodejs/node-v22.11.0-linux-arm64';

/** What the doctor says of a port that a process with these arguments holds, in a /proc of its own. */
async function saidOfHolder(t: ExecutionContext, args: readonly string[]): Promise<string> {
  const line = await openPtyLine({ clock: systemClock });
  t.teardown(() => line.close());
  const { devices } = loadText(`devices: { scale: { driver: lines, link: "${line.link}" } }`).config;
  const proc = folderFor(t);
  mkdirSync(path.join(proc, '100/fd'), { recursive: true });
  writeFileSync(path.join(proc, '100/cmdline'), args.map((arg) => `${arg}\0`).join(''));
  symlinkSync(line.link.replace('serial:', ''), path.join(proc, '100/fd/3'));
  const [finding] = await examineLinks(devices, { proc }).then(({ findings }) => findings);
  return `${finding?.level} ${finding?.text}`;
}

test('a port that the gateway itself holds is ok, however long the paths of Node and Ferrule are', async (t) => {
  t.regex(await saidOfHolder(t, ['/usr/bin/node', '/usr/bin/ferrule', 'run']), /^ok /);
  const main = `${LONG}/lib/node_modules/ferrule/dist/src/cli/main.js`;
  t.regex(await saidOfHolder(t, [`${LONG}/bin/node`, main, 'run', '-c', '/etc/ferrule/ferrule.yaml']), /^ok /);
});

test('a port that another program holds fails, with its name shortened', async (t) => {
  const said = await saidOfHolder(t, ['picocom', 'x'.repeat(200)]);
  t.regex(said, /^fail scale: .* is held by pid 100 \(picocom x{72}\.\.\.\); stop that program/);
});
