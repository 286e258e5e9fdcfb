import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { PATIENCE_MS } from '../support/eventually.js';

const MODULE = new URL('../../src/cli/exit-process.js', import.meta.url).href;
/** More than a pipe holds. */
const LENGTH = 2_000_000;

/** How a process ends that writes, does `more`, and ends with 3. */
function ended(more: string): Promise<unknown> {
  const script = `
    import dns from 'node:dns';
    import fs from 'node:fs';
    import { exitProcess } from '${MODULE}';
    process.stdout.write('x'.repeat(${LENGTH}));
    ${more}
    await exitProcess(3);
  `;
  const limits = { maxBuffer: 2 * LENGTH, timeout: PATIENCE_MS, killSignal: 'SIGKILL' } as const;
  return new Promise((resolve) => {
    const args = ['--input-type=module', '-e', script];
    const child = execFile(process.execPath, args, limits, (_, stdout) => {
      resolve({ code: child.exitCode, written: stdout.length });
    });
  });
}

test('a process ends with its code when all that it has printed is in the pipe', async (t) => {
  t.deepEqual(await ended(''), { code: 3, written: LENGTH });
});

test('a process that is looking up a host name ends at once, and has printed all the same', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-exit-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const pipe = path.join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  // One helper thread is held up for ever, since nobody writes to the pipe, and one lookup or another is always under way.
  const holdUp = `fs.open('${pipe}', 'r', () => {});`;
  const lookUp = `const again = () => dns.lookup('device.invalid', again); again();`;
  t.deepEqual(await ended(`${holdUp} ${lookUp}`), { code: 3, written: LENGTH });
});
