// The compose files: every key known to the compose specification, and those of balena to its supervisor. Lists kept by hand:
// the specification's from compose-spec.json (github.com/compose-spec/compose-spec/blob/main/schema/compose-spec.json), balena's
// from docs.balena.io/reference/supervisor/docker-compose.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { layOutBalena } from '../support/balena-project.js';
import { loadText } from '../support/config-files.js';
import { readDockerfile, wordsOf } from '../support/dockerfiles.js';
import { folderFor } from '../support/ferrule-command.js';

const words = (text: string): Set<string> => new Set(text.trim().split(/\s+/));

const TOP = words('version name services networks volumes configs secrets include models');
const SERVICE = words(`
  annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count cpu_percent
  cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy develop
  device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file environment expose extends external_links
  extra_hosts gpus group_add healthcheck hostname image init ipc isolation label_file labels links logging mac_address mem_limit
  mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable oom_score_adj pid pids_limit
  platform ports post_start pre_stop privileged profiles provider pull_policy read_only restart runtime scale secrets
  security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user
  userns_mode uts volumes volumes_from working_dir`);
const BUILD = words(
  'context dockerfile dockerfile_inline args target cache_from cache_to labels network shm_size platforms tags',
);
const HEALTHCHECK = words('disable interval retries start_interval start_period test timeout');

const BALENA_TOP = words('version services volumes networks');
const BALENA_SERVICE = words(`
  build cap_add cap_drop cgroup_parent command cpu_shares cpu_quota cpuset devices depends_on dns dns_opt dns_search domainname
  entrypoint environment expose extra_hosts group_add healthcheck hostname image ipc labels mac_address mem_limit
  mem_reservation network_mode networks oom_kill_disable oom_score_adj pid pids_limit ports privileged read_only restart
  security_opt shm_size stop_grace_period stop_signal sysctls tmpfs ulimits user userns_mode volumes working_dir`);
/** docs.balena.io, labels of docker-compose.yml, without those that open the host to the container. */
const BALENA_LABELS = words(
  'io.balena.update.strategy io.balena.update.handover-timeout io.balena.features.requires.arch.sw',
);

interface Service {
  readonly [key: string]: unknown;
  readonly build?: string | { readonly context: string; readonly dockerfile: string };
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly [key: string]: unknown; readonly test: readonly string[] };
  readonly labels?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly devices?: readonly string[];
}

interface Compose {
  readonly [key: string]: unknown;
  readonly version?: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

const FILES = ['deploy/docker/compose.yaml', 'deploy/docker/compose.hotplug.yaml', 'deploy/balena/docker-compose.yml'];
const BALENA = 'deploy/balena/docker-compose.yml';

/** A cast of parsed YAML: the tests below check that it is so. */
function read(file: string): Compose {
  return parse(readFileSync(file, 'utf8')) as Compose;
}

/** The keys of a compose file that stand in no list, as `services.ferrule.key`. */
function unknownKeys(compose: Compose, top: Set<string>, service: Set<string>): string[] {
  const strange = (map: object, known: Set<string>, at: string): string[] =>
    Object.keys(map)
      .filter((key) => !known.has(key) && !key.startsWith('x-'))
      .map((key) => `${at}${key}`);
  const inServices = Object.entries(compose.services).flatMap(([name, body]) => [
    ...strange(body, service, `services.${name}.`),
    ...(typeof body.build === 'object' ? strange(body.build, BUILD, `services.${name}.build.`) : []),
    ...(body.healthcheck ? strange(body.healthcheck, HEALTHCHECK, `services.${name}.healthcheck.`) : []),
  ]);
  return [...strange(compose, top, ''), ...inServices];
}

function seconds(duration: unknown): number {
  const [, number, unit] = /^(\d+)(s|m)$/.exec(String(duration)) ?? [];
  if (number === undefined) throw new Error(`no duration: ${duration}`);
  return Number(number) * (unit === 'm' ? 60 : 1);
}

/** `name:/inside` with a name of a volume; `./file:/inside` and `/dev:/dev` are bind mounts. */
function namedVolumes(compose: Compose): string[] {
  const sources = Object.values(compose.services).flatMap(({ volumes = [] }) =>
    volumes.map((one) => one.split(':')[0] ?? ''),
  );
  return sources.filter((source) => !/^[./]/.test(source));
}

for (const file of FILES) {
  test(`${file} has only keys of the compose specification`, (t) => {
    t.deepEqual(unknownKeys(read(file), TOP, SERVICE), []);
  });

  test(`${file} names no volume that it does not declare`, (t) => {
    const compose = read(file);
    const declared = Object.keys(compose.volumes ?? {});
    t.deepEqual(
      namedVolumes(compose).filter((name) => !declared.includes(name)),
      [],
    );
  });
}

test('a key that no list has is found', (t) => {
  const compose = { services: { ferrule: { imgae: 'x', healthcheck: { test: [], every: '1s' } } }, service: {} };
  t.deepEqual(unknownKeys(compose, TOP, SERVICE), [
    'service',
    'services.ferrule.imgae',
    'services.ferrule.healthcheck.every',
  ]);
});

test('the balena file has only what its supervisor supports', (t) => {
  const compose = read(BALENA);
  t.deepEqual(unknownKeys(compose, BALENA_TOP, BALENA_SERVICE), []);
  t.regex(compose.version ?? '', /^2(\.[0-4])?$/);
  for (const [name, service] of Object.entries(compose.services)) {
    t.true(service.depends_on === undefined || Array.isArray(service.depends_on), `${name}: only the list form`);
    t.deepEqual(
      Object.keys(service.labels ?? {}).filter((label) => !BALENA_LABELS.has(label)),
      [],
      name,
    );
  }
});

test('the balena file mounts named volumes only, and nothing in it waits to be substituted', (t) => {
  const compose = read(BALENA);
  const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) => volumes);
  t.is(mounted.length, namedVolumes(compose).length);
  const code = readFileSync(BALENA, 'utf8').replaceAll(/#.*$/gm, '');
  t.notRegex(code, /\$/);
});

test('on balena, privileged and UDEV stand together, and only for the gateway', (t) => {
  for (const [name, { privileged, environment }] of Object.entries(read(BALENA).services)) {
    t.is(privileged === true, environment?.UDEV === '1', name);
    t.is(privileged === true, name === 'ferrule');
  }
});

test('balena builds each service from a folder of the project', (t) => {
  const project = layOutBalena(folderFor(t));
  for (const { build } of Object.values(read(path.join(project, 'docker-compose.yml')).services)) {
    const folder = path.join(project, String(build));
    t.true(
      ['Dockerfile', 'Dockerfile.template'].some((name) => existsSync(path.join(folder, name))),
      folder,
    );
  }
});

test('balena.yml is a block of the project: its type, and device types with one of them the default', (t) => {
  const { type, data } = parse(readFileSync('deploy/balena/balena.yml', 'utf8'));
  t.is(type, 'sw.application');
  t.true(data.supportedDeviceTypes.includes(data.defaultDeviceType));
});

test('the first config that balena.yml sets is a good one', (t) => {
  const { data } = parse(readFileSync('deploy/balena/balena.yml', 'utf8'));
  const [first] = data.applicationEnvironmentVariables;
  const { config } = loadText(first.FERRULE_CONFIG);
  t.is(config.mqtt.url, 'mqtt://mosquitto:1883');
});

test('the config that the README sets as a variable of a fleet is a good one', (t) => {
  const [, block = ''] =
    /YAML as in `ferrule.yaml`:\n\n((?: {7}.*\n)+)/.exec(readFileSync('deploy/README.md', 'utf8')) ?? [];
  const { config } = loadText(block.replaceAll(/^ {7}/gm, ''));
  t.deepEqual(Object.keys(config.devices), ['scale']);
});

test('the config that compose.yaml mounts is a good one', (t) => {
  const { config } = loadText(readFileSync('deploy/docker/ferrule.yaml', 'utf8'));
  t.deepEqual(Object.keys(config.devices), ['scale']);
});

test('a container is given longer to stop than the gateway takes at most', (t) => {
  const deadline = loadText('').config.gateway.shutdown_deadline / 1000;
  for (const file of FILES) {
    const { stop_grace_period: grace, ...service } = read(file).services.ferrule ?? {};
    if (service.build !== undefined) t.true(seconds(grace) > deadline + 2, file);
  }
});

test('every service is watched, the gateway by the health check of its Dockerfile', async (t) => {
  const health = (await readDockerfile('deploy/docker/Dockerfile')).find(({ name }) => name === 'HEALTHCHECK');
  const { mosquitto, ferrule } = read(BALENA).services;
  t.deepEqual(ferrule?.healthcheck?.test, ['CMD', ...(health ? wordsOf(health) : [])]);
  t.is(mosquitto?.healthcheck?.test[0], 'CMD');
  t.is(read('deploy/docker/compose.yaml').services.mosquitto?.healthcheck?.test[0], 'CMD');
});

test('in docker the gateway has no rights that it does not need', (t) => {
  const { ferrule } = read('deploy/docker/compose.yaml').services;
  t.like(ferrule, { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
  t.is(ferrule?.privileged, undefined);
});
