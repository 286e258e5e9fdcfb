// The container files proven without a container engine: their own lines run in a chroot, and what comes out runs as they say.
// By default on this machine's /usr; with FERRULE_SOAK=1 on a Debian of its own, and on arm64 under emulation.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { layOutBalena } from '../support/balena-project.js';
import { folderFor } from '../support/ferrule-command.js';
import { skipWithoutMosquitto } from '../support/mosquitto.js';
import { allowForSoak, isSoak } from '../support/soak.js';

/** The compiled gateway that this test is part of. */
const DIST = fileURLToPath(new URL('../../', import.meta.url));

interface ScriptEnd {
  readonly code: number | null;
  readonly out: string;
}

/** Runs a script of deploy/smoke to its end; its figures are the last line of what it says. */
function smoke(t: ExecutionContext, script: string, ...args: string[]): Promise<ScriptEnd> {
  return new Promise((resolve) => {
    const env = { ...process.env, NODE_V8_COVERAGE: '' };
    const child = execFile(
      'sh',
      [path.join('deploy/smoke', script), ...args],
      { env, maxBuffer: 2 ** 24 },
      (_, out, err) => {
        const figures = out.trim();
        if (child.exitCode === 0) t.log(figures);
        else t.log(`${err}\n${figures}`);
        resolve({ code: child.exitCode, out });
      },
    );
    t.teardown(() => void child.kill('SIGTERM'));
  });
}

function figuresOf({ out }: ScriptEnd): Readonly<Record<string, unknown>> {
  return JSON.parse(out.trim().split('\n').at(-1) ?? '{}');
}

/** Why a chroot cannot be made here. */
const missing = [
  process.getuid?.() === 0 ? undefined : 'needs root',
  skipWithoutMosquitto,
  existsSync('/usr/bin/unshare') ? undefined : 'no unshare',
  process.execPath.startsWith('/usr/') ? undefined : 'node is not in /usr',
].find((reason) => reason !== undefined);

function rootTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (missing === undefined) test.serial(title, body);
  else test.skip(`${title} (${missing})`, () => {});
}

/** Only with FERRULE_SOAK=1: takes minutes and the network. */
function soakTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (isSoak) rootTest(title, body);
  else test.skip(`${title} (FERRULE_SOAK=1)`, () => {});
}

function runsAsNode(t: ExecutionContext, end: ScriptEnd): void {
  t.is(end.code, 0);
  t.like(figuresOf(end), { uid: '1000', health: 'ok' });
  t.regex(String(figuresOf(end).groups), /\b20\b/, 'dialout');
}

rootTest('the lines of the Dockerfile end in a gateway that reads as user node, without a shell', async (t) => {
  t.timeout(120_000);
  runsAsNode(t, await smoke(t, 'rootfs.sh', '--dist', DIST));
});

soakTest('the same on a Debian of its own, with the build stage', async (t) => {
  allowForSoak(t);
  runsAsNode(t, await smoke(t, 'rootfs.sh', '--debootstrap'));
});

/** The arguments that stand for the balena project, as a user lays it out. */
function balenaProject(t: ExecutionContext): string[] {
  const context = path.join(layOutBalena(folderFor(t)), 'ferrule');
  return ['--dockerfile', path.join(context, 'Dockerfile.template'), '--context', context];
}

function hasGivenUpRoot(t: ExecutionContext, end: ScriptEnd): void {
  t.is(end.code, 0);
  t.like(figuresOf(end), { uid: '1000', no_new_privs: '1', dev: 'devtmpfs' });
}

rootTest('the lines of the balena template end in a gateway on the live /dev, that has given up root', async (t) => {
  t.timeout(120_000);
  hasGivenUpRoot(t, await smoke(t, 'rootfs.sh', '--dist', DIST, ...balenaProject(t)));
});

soakTest('the same on a Debian of its own, with the build stage of balena', async (t) => {
  allowForSoak(t);
  hasGivenUpRoot(t, await smoke(t, 'rootfs.sh', '--debootstrap', ...balenaProject(t)));
});

for (const [arch, name] of [
  ['arm64', 'linux-arm64'],
  ['armv7', 'linux-arm'],
] as const) {
  soakTest(`the built gateway and every native dependency run on ${arch}, under emulation`, async (t) => {
    allowForSoak(t);
    process.env.ARCH = arch;
    t.teardown(() => void delete process.env.ARCH);
    const end = await smoke(t, 'arm64.sh', DIST);
    t.is(end.code, 0);
    for (const module of ['classic-level', 'koffi', '@serialport/bindings-cpp']) {
      t.true(end.out.includes(`${module}: works on ${name}`), module);
    }
  });
}
