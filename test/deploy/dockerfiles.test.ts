// The Dockerfiles, read by the same parser that runs them in a chroot (test/e2e/deploy-rootfs.test.ts).

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { layOutBalena } from '../support/balena-project.js';
import { type Instruction, parseDockerfile, readDockerfile, wordsOf } from '../support/dockerfiles.js';
import { ferrule, folderFor } from '../support/ferrule-command.js';

const DOCKER = 'deploy/docker/Dockerfile';
const BALENA = 'deploy/balena/Dockerfile.template';

function named(instructions: readonly Instruction[], name: string): Instruction[] {
  return instructions.filter((instruction) => instruction.name === name);
}

function runLines(instructions: readonly Instruction[]): string[] {
  return named(instructions, 'RUN').map((instruction) => wordsOf(instruction).join(' '));
}

/** Sources of COPY lines that neither stand in `context` nor come from a stage before. */
function missingSources(instructions: readonly Instruction[], context: string): string[] {
  const stages = new Set<string>();
  return instructions.flatMap((instruction) => {
    const words = wordsOf(instruction);
    if (instruction.name === 'FROM') stages.add(words[2] ?? '');
    if (instruction.name !== 'COPY') return [];
    const { from } = instruction.flags;
    if (from !== undefined) return stages.has(from) ? [] : [`stage ${from}`];
    return words.slice(0, -1).filter((source) => !existsSync(path.join(context, source)));
  });
}

/** Index of the first instruction of the last stage. */
function lastStage(instructions: readonly Instruction[]): readonly Instruction[] {
  return instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'));
}

const refused: readonly (readonly [title: string, text: string, message: RegExp])[] = [
  ['an instruction that the runner does not know', 'FROM a\nADD x /x', /line 2: cannot run "ADD x \/x"/],
  [
    'a flag that the runner does not know',
    'FROM a\nRUN --mount=type=cache,target=/x true',
    /line 2: cannot run RUN with --mount/,
  ],
  ['an exec form that is no JSON', "FROM a\n\nCMD ['node']", /line 3: not a JSON list/],
  ['a line that goes on behind the end', 'FROM a\nRUN true \\', /line 2: the file ends/],
];
for (const [title, text, message] of refused) {
  test(`a Dockerfile with ${title} is refused, with the line`, async (t) => {
    await t.throwsAsync(parseDockerfile(text), { message });
  });
}

test('comments and joined lines are read as Docker reads them', async (t) => {
  const [, run] = await parseDockerfile('# one\nFROM a AS b\nRUN x && \\\n  # inside\n  y\n');
  t.like(run, { line: 3, name: 'RUN', isExec: false });
  t.deepEqual(run?.args, ['x && y']);
});

test('every file that the Dockerfile copies is in the repository or comes from a stage before', async (t) => {
  t.deepEqual(missingSources(await readDockerfile(DOCKER), '.'), []);
});

test('the build context lets through exactly what the Dockerfile copies', async (t) => {
  const copied = named(await readDockerfile(DOCKER), 'COPY')
    .filter(({ flags }) => flags.from === undefined)
    .flatMap((instruction) => wordsOf(instruction).slice(0, -1));
  const ignore = readFileSync('deploy/docker/Dockerfile.dockerignore', 'utf8').split('\n');
  const allowed = ignore.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  t.true(ignore.includes('*'));
  t.deepEqual([...new Set(copied)].sort(), allowed.sort());
});

test('every file that the balena template copies is in the project that project.sh lays out', async (t) => {
  const project = layOutBalena(folderFor(t));
  t.deepEqual(missingSources(await readDockerfile(BALENA), path.join(project, 'ferrule')), []);
  const broker = await readDockerfile(path.join(project, 'mosquitto/Dockerfile'));
  t.deepEqual(missingSources(broker, path.join(project, 'mosquitto')), []);
});

test('the balena template builds as the Dockerfile does', async (t) => {
  const docker = runLines(await readDockerfile(DOCKER));
  const balena = runLines(await readDockerfile(BALENA));
  const apart = docker.map((line) => line.replace(' /etc/ferrule', '')); // balena has no bind mounts, so no file there
  t.deepEqual(balena, apart);
});

test('the gateway runs as a user that is not root, with no shell around it', async (t) => {
  const stage = lastStage(await readDockerfile(DOCKER));
  t.deepEqual(named(stage, 'USER').map(wordsOf), [['node']]);
  for (const name of ['ENTRYPOINT', 'CMD', 'HEALTHCHECK']) {
    const [instruction] = named(stage, name);
    t.true(instruction?.isExec, name);
    t.false(instruction && wordsOf(instruction).some((word) => /(^|\/)(ba|da)?sh$/.test(word)), name);
  }
});

test('balena starts as root for /dev only: entry.sh gives root up before it becomes the gateway', async (t) => {
  const [entry] = named(await readDockerfile(BALENA), 'ENTRYPOINT');
  t.deepEqual(entry && wordsOf(entry), ['/bin/sh', '/app/entry.sh']);
  const script = readFileSync('deploy/balena/entry.sh', 'utf8').trimEnd();
  t.regex(
    script,
    /\nexec setpriv --reuid=node [^\n]*--no-new-privs \\\n {2}node \/app\/dist\/src\/cli\/main\.js "\$@"$/,
  );
});

test('only production dependencies are installed, and no install script runs', async (t) => {
  for (const file of [DOCKER, BALENA]) {
    const installs = runLines(await readDockerfile(file)).filter((line) => line.includes('npm ci'));
    t.true(
      installs.every((line) => line.includes('--ignore-scripts')),
      file,
    );
    t.true(
      installs.some((line) => line.includes('--omit=dev')),
      file,
    );
  }
});

test('the health check is a command and an option that ferrule has', async (t) => {
  const [health] = named(await readDockerfile(DOCKER), 'HEALTHCHECK');
  const [, main, command = '', ...options] = health ? wordsOf(health) : [];
  t.is(main, '/app/dist/src/cli/main.js');
  const { code, out } = await ferrule(folderFor(t), [command, '--help']);
  t.is(code, 0);
  for (const option of options) t.true(out.includes(option), `${command} ${option}`);
});
