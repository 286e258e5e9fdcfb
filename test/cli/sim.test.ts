import test from 'ava';
import { runSim } from '../../src/cli/sim.js';
import { folderFor } from '../support/ferrule-command.js';

test('a recording that is not there is named with its device, also where only the config is asked for', async (t) => {
  const cwd = folderFor(t, { 'sim.yaml': 'devices: { door: { type: replay, link: /tmp/door, file: gone.ndjson } }\n' });
  const err: string[] = [];
  const said = { out: (line: string) => t.fail(line), err: (line: string) => void err.push(line) };
  const code = await runSim({ file: 'sim.yaml', cwd, env: {}, printConfig: true, ...said });
  t.is(code, 1);
  t.regex(err.join('\n'), /^door: ENOENT: .*gone\.ndjson/);
});
