import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { PATIENCE_MS } from '../support/eventually.js';

const MODULE = new URL('../../src/cli/exit-process.js', import.meta.url).href;

/** Ends with 3, while a host name is being looked up and a helper thread waits for somebody who writes to `pipe`: nobody does. */
const script = (pipe: string): string => `
  import dns from 'node:dns';
  import fs from 'node:fs';
  import { exitProcess } from '${MODULE}';
  fs.open('${pipe}', 'r', () => {});
  dns.lookup('device.invalid', () => {});
  process.stdout.write('x'.repeat(50_000));
  await exitProcess(3);
`;

test('a process that looks up a host name ends at once, with its code and its last words', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-exit-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const pipe = path.join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const args = ['--input-type=module', '-e', script(pipe)];
  const ended = await new Promise((resolve) => {
    const child = execFile(process.execPath, args, { timeout: PATIENCE_MS, killSignal: 'SIGKILL' }, (_, stdout) => {
      resolve({ code: child.exitCode, written: stdout.length });
    });
  });
  t.deepEqual(ended, { code: 3, written: 50_000 });
});
