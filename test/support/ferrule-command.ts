// A `ferrule` command as a user types it: the built command line in a process of its own, in a folder of its own, waited for
// until it ends. For commands that do end; a gateway that runs is `gateway-process.ts`.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

export const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
/** A command that takes longer is killed, and has no exit code. */
const WITHIN_MS = 60_000;

export interface CommandEnd {
  /** Undefined if it had to be killed. */
  readonly code: number | undefined;
  readonly out: string;
  readonly err: string;
  /** The lines of `err`. */
  readonly errLines: readonly string[];
}

/** A new folder with these files (name -> text); removed with the test. */
export function folderFor(t: ExecutionContext, files: Readonly<Record<string, string>> = {}): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-cmd-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    writeFileSync(path.join(dir, name), text);
  }
  return dir;
}

/** Runs `ferrule ...args` in `cwd` to its end. `env` is added to this process's environment. */
export function ferrule(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandEnd> {
  return new Promise((resolve) => {
    const options = {
      cwd,
      env: { ...process.env, NODE_V8_COVERAGE: '', ...env },
      timeout: WITHIN_MS,
      maxBuffer: 16 * 1024 * 1024,
    };
    const child = execFile(process.execPath, [MAIN, ...args], options, (_error, out, err) => {
      resolve({ code: child.exitCode ?? undefined, out, err, errLines: err.split('\n').filter(Boolean) });
    });
  });
}

/** The same with a stdout whose reader has gone. */
export async function ferruleUnread(cwd: string, args: readonly string[]): Promise<Pick<CommandEnd, 'code' | 'err'>> {
  const env = { ...process.env, NODE_V8_COVERAGE: '' };
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, env, timeout: WITHIN_MS });
  child.stdout.destroy();
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (err += text));
  await once(child, 'close');
  return { code: child.exitCode ?? undefined, err };
}
