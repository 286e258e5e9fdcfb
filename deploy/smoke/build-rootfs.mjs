// Runs the lines of a Dockerfile without a container engine: every stage is a folder, FROM copies the base image's, RUN is a
// chroot. Meant to run as root inside `unshare --mount` (rootfs.sh does that): what it mounts is gone with the namespace.
//
//   node build-rootfs.mjs --dockerfile F --context DIR --base ROOT --out DIR [--given STAGE=DIR] [--cache NPM_CACHE]
//
// --base     stands for every image that FROM names: a folder with a system that has node and npm
// --bind     of the base, only bind mount these (comma separated) instead of copying them: quick, for a base that is the host
// --given    this stage is not built: the folder has what it would hold
// --cache    the builder's npm cache, lent to the RUN lines so that they do not fetch what is here
//
// Prints every line it runs, and at the end the last stage as JSON: root, env, user, cwd, entrypoint, cmd, healthcheck.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { parseDockerfile, substitute } from './dockerfile.mjs';

const option = { type: 'string' };
const { values: options } = parseArgs({
  options: { dockerfile: option, context: option, base: option, out: option, given: option, cache: option, bind: option },
});
for (const name of ['dockerfile', 'context', 'base', 'out']) {
  if (options[name] === undefined) throw new Error(`--${name} is missing`);
}

/** What the engine's builder and balena's fill in. */
const GIVEN_ARGS = { BUILDPLATFORM: `linux/${process.arch}` };
const TEMPLATE = { '%%BALENA_MACHINE_NAME%%': 'smoke-test', '%%BALENA_ARCH%%': process.arch };
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const globalArgs = { ...GIVEN_ARGS };
const stages = new Map();
let stage;

function log(text) {
  process.stderr.write(`${text}\n`);
}

function run(command, args, options = {}) {
  execFileSync(command, args, { stdio: ['ignore', 2, 2], ...options });
}

/** The base image as a folder of this stage's own. */
function copyBase(root) {
  const bound = options.bind?.split(',') ?? [];
  mkdirSync(root, { recursive: true });
  run('cp', ['-a', `${options.base}/.`, root]);
  for (const name of bound) {
    mkdirSync(path.join(root, name), { recursive: true });
    run('mount', ['--bind', '-o', 'ro', `/${name}`, path.join(root, name)]);
  }
  mountAt('proc', path.join(root, 'proc'));
  makeDev(path.join(root, 'dev'));
}

function mountAt(type, folder) {
  mkdirSync(folder, { recursive: true });
  run('mount', ['-t', type, type, folder]);
}

/** A /dev as an engine makes it: a tmpfs with a few devices, and three mounts below. */
function makeDev(dev) {
  mountAt('tmpfs', dev);
  for (const name of ['null', 'zero', 'full', 'random', 'urandom', 'tty']) {
    const node = path.join(dev, name);
    writeFileSync(node, '');
    run('mount', ['--bind', `/dev/${name}`, node]);
  }
  for (const [type, name] of [['devpts', 'pts'], ['tmpfs', 'shm'], ['mqueue', 'mqueue']]) mountAt(type, path.join(dev, name));
}

/** A path inside of the stage, as a path of this machine. */
function inside(target, of = stage) {
  return path.join(of.root, path.resolve(of.cwd, target));
}

function from({ args, line }) {
  const image = substitute(line, args[0], globalArgs);
  const name = args[1]?.toUpperCase() === 'AS' ? args[2] : `stage-${stages.size}`;
  const given = options.given?.split('=');
  const isGiven = given?.[0] === name;
  const root = isGiven ? path.resolve(given[1]) : path.resolve(options.out, name);
  stage = { name, image, root, isGiven, cwd: '/', user: 'root', args: { ...globalArgs }, env: { PATH: DEFAULT_PATH } };
  stages.set(name, stage);
  if (!isGiven) copyBase(root);
}

/** A RUN line, in a chroot, with the stage's environment and folder. */
function runLine({ args, isExec, line }) {
  const command = isExec ? args : ['/bin/sh', '-c', args[0]];
  log(`  line ${line}: RUN ${args.join(' ')}`);
  const user = stage.user === 'root' ? [] : ['--userspec', stage.user];
  const takeBack = lendFiles();
  const cache = lendCache();
  const env = { HOME: '/root', ...stage.env, ...LENT_ENV, ...cache.env };
  run('chroot', [...user, stage.root, 'env', `--chdir=${stage.cwd}`, ...command], { env });
  cache.takeBack();
  takeBack();
}

const CERTIFICATES = process.env.NODE_EXTRA_CA_CERTS;
const LENT_ENV = { npm_config_update_notifier: 'false', ...(CERTIFICATES && { NODE_EXTRA_CA_CERTS: CERTIFICATES }) };

/** Lends what an engine lends too (names of hosts), and this machine's certificates. Answers how to take it back. */
function lendFiles() {
  const lent = ['/etc/resolv.conf', '/etc/hosts', CERTIFICATES].flatMap((file) => {
    const target = file && path.join(stage.root, file);
    if (!target || !existsSync(file) || existsSync(target)) return [];
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, readFileSync(file));
    return [target];
  });
  return () => lent.forEach((target) => rmSync(target));
}

/** Lends what npm has here already. */
function lendCache() {
  if (options.cache === undefined) return { env: {}, takeBack: () => {} };
  const target = path.join(stage.root, 'run/npm-cache');
  mkdirSync(target, { recursive: true });
  run('mount', ['--bind', options.cache, target]);
  const takeBack = () => {
    run('umount', [target]);
    rmdirSync(target);
  };
  return { env: { npm_config_cache: '/run/npm-cache', npm_config_prefer_offline: 'true' }, takeBack };
}

function copy({ args, flags, line }) {
  const target = args.at(-1);
  const sources = args.slice(0, -1);
  const source = flags.from === undefined ? undefined : stages.get(flags.from);
  if (flags.from !== undefined && source === undefined) throw new Error(`line ${line}: no stage is called ${flags.from}`);
  const isFolder = target.endsWith('/') || sources.length > 1;
  for (const name of sources) {
    const origin = source === undefined ? path.resolve(options.context, name) : inside(name, source);
    if (!existsSync(origin)) throw new Error(`line ${line}: there is no ${name} to copy`);
    // Of a folder, COPY takes what is in it; a file goes into a folder or becomes the target.
    const into = !statSync(origin).isDirectory() && isFolder ? path.join(inside(target), path.basename(name)) : inside(target);
    mkdirSync(path.dirname(into), { recursive: true });
    cpSync(origin, into, { recursive: true, verbatimSymlinks: true });
  }
  if (flags.chown !== undefined) run('chroot', [stage.root, 'chown', '-R', flags.chown, path.resolve(stage.cwd, target)]);
}

const HANDLERS = {
  ARG: ({ args }) => Object.assign(stage === undefined ? globalArgs : stage.args, Object.fromEntries(args)),
  ENV: ({ args }) => Object.assign(stage.env, Object.fromEntries(args)),
  WORKDIR({ args: [folder] }) {
    stage.cwd = path.resolve(stage.cwd, folder);
    mkdirSync(path.join(stage.root, stage.cwd), { recursive: true });
  },
  COPY: copy,
  RUN: runLine,
  USER({ args: [user] }) {
    stage.user = user;
  },
  VOLUME: ({ args }) => args.forEach((folder) => mkdirSync(path.join(stage.root, folder), { recursive: true })),
  LABEL: () => {},
  STOPSIGNAL({ args: [signal] }) {
    stage.stopSignal = signal;
  },
  HEALTHCHECK({ args }) {
    stage.healthcheck = args;
  },
  ENTRYPOINT({ args }) {
    stage.entrypoint = args;
  },
  CMD({ args }) {
    stage.cmd = args;
  },
};

const text = readFileSync(options.dockerfile, 'utf8').replaceAll(/%%\w+%%/g, (name) => TEMPLATE[name] ?? name);
for (const instruction of parseDockerfile(text)) {
  if (instruction.name === 'FROM') {
    from(instruction);
    log(`${stage.isGiven ? 'given' : 'stage'} ${stage.name} (${stage.image})`);
  } else if (instruction.name === 'ARG' && stage === undefined) HANDLERS.ARG(instruction);
  else if (!stage.isGiven) HANDLERS[instruction.name](instruction);
}
const { root, env, user, cwd, entrypoint, cmd, healthcheck, stopSignal } = stage;
process.stdout.write(`${JSON.stringify({ root, env, user, cwd, entrypoint, cmd, healthcheck, stopSignal })}\n`);
