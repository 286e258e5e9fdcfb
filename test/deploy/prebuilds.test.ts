// Nothing is compiled on a board: every native dependency has to ship its binary. This is the table of who ships what; glibc on
// the three architectures is required, musl is told.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';

interface LockEntry {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly version?: string;
  readonly cpu?: readonly string[];
  readonly os?: readonly string[];
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const ENTRIES: Readonly<Record<string, LockEntry>> = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages;

/** What a board needs, as node-gyp-build names the files: `<platform>-<arch>/<anything>[.armv7][.glibc|.musl].node`. */
const BOARDS = ['x64', 'arm64', 'armv7'] as const;
type Board = (typeof BOARDS)[number];
type Libc = 'glibc' | 'musl';

interface Row {
  readonly name: string;
  readonly has: Readonly<Record<Board, readonly Libc[]>>;
}

/** Production packages that run native code: they have an install script, prebuilt binaries, or packages per system. */
function nativePackages(): string[] {
  return Object.entries(ENTRIES)
    .filter(([at, { dev, cpu, hasInstallScript }]) => {
      if (!at.startsWith('node_modules/') || dev === true || cpu !== undefined) return false;
      return hasInstallScript === true || existsSync(path.join(at, 'prebuilds')) || systemPackages(at).length > 0;
    })
    .map(([at]) => at);
}

/** The packages per system that a package takes one of. */
function systemPackages(at: string): string[] {
  const names = Object.keys(ENTRIES[at]?.optionalDependencies ?? {});
  return names.filter((name) => ENTRIES[`node_modules/${name}`]?.cpu !== undefined);
}

function rowOf(at: string): Row {
  const name = at.replace(/^.*node_modules\//, '');
  const systems = systemPackages(at);
  return { name, has: systems.length > 0 ? bySystemPackage(systems) : byPrebuilds(path.join(at, 'prebuilds')) };
}

function byPrebuilds(folder: string): Row['has'] {
  const filesOf = (system: string): string[] => {
    const inside = path.join(folder, system);
    return existsSync(inside) ? readdirSync(inside) : [];
  };
  return {
    x64: libcsOf(filesOf('linux-x64')),
    arm64: libcsOf(filesOf('linux-arm64')),
    armv7: libcsOf(filesOf('linux-arm').filter((file) => file.includes('armv7'))),
  };
}

/** A file that names no libc is one for glibc. */
function libcsOf(files: readonly string[]): Libc[] {
  const binaries = files.filter((file) => file.endsWith('.node'));
  const libcs = binaries.map((file): Libc => (file.includes('.musl.') ? 'musl' : 'glibc'));
  return [...new Set(libcs)].sort();
}

/** Packages per system are there for one system only, this one's; of the others the lock file tells that they exist. */
function bySystemPackage(names: readonly string[]): Row['has'] {
  const libcs = (arch: string): Libc[] => {
    const name = names.find((one) => {
      const { cpu, os } = ENTRIES[`node_modules/${one}`] ?? {};
      return cpu?.includes(arch) === true && (os === undefined || os.includes('linux'));
    });
    if (name === undefined) return [];
    const folder = path.join('node_modules', name);
    const hasMusl = existsSync(folder) && readdirSync(folder).some((inside) => inside.startsWith('musl'));
    return hasMusl ? ['glibc', 'musl'] : ['glibc'];
  };
  return { x64: libcs('x64'), arm64: libcs('arm64'), armv7: libcs('arm') };
}

test('the native dependencies are the ones that we know of', (t) => {
  const names = nativePackages().map((at) => at.replace(/^.*node_modules\//, ''));
  t.deepEqual([...new Set(names)].sort(), ['@serialport/bindings-cpp', 'classic-level', 'koffi']);
});

for (const at of nativePackages()) {
  const row = rowOf(at);
  test(`${at.replaceAll('node_modules/', '')} ships binaries for x64, arm64 and armv7 with glibc`, (t) => {
    for (const board of BOARDS) t.true(row.has[board].includes('glibc'), board);
    t.log(BOARDS.map((board) => `${board}: ${row.has[board].join(' + ')}`).join(', '));
  });
}

test('packages per system that the lock file names are optional: the others do not fail an install', (t) => {
  for (const name of systemPackages('node_modules/koffi')) t.true(ENTRIES[`node_modules/${name}`]?.optional, name);
});
