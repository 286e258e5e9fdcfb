// Holds the layers of DESIGN section 2: who may import whom, no circles, and what only one place may touch. Reads the
// sources as text; type imports count, since a circle of types is a circle for the reader too.

import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import test from 'ava';

/** From left to right; a file imports from its own folder and from columns to the left of its own. */
const COLUMNS: readonly (readonly string[])[] = [
  ['core'],
  ['config', 'spool'],
  ['device'],
  ['group'],
  ['uplink'],
  ['control'],
  ['http', 'hil'],
  ['gateway'],
  ['cli'],
];

/** Left of each other, and still apart: a group is given `relay`, the uplink is given `route`. */
const APART: readonly (readonly [string, string])[] = [['uplink', 'group']];

/** Files that may touch global time, randomness or timers, each with its reason. */
const HIDDEN_CLOCKS: Readonly<Record<string, string>> = {
  'src/core/clock.ts': 'the system clock itself',
  'src/cli/keep-program.ts': 'a step of the build, beside a gateway that has a clock',
  'src/cli/run.ts': 'keeps the daemon alive: the timers of the Clock do not',
  'src/cli/until-signal.ts': 'keeps a command alive: the timers of the Clock do not',
};

const HIDDEN_CLOCK = /\b(?:Date\.now|Math\.random|setTimeout|setInterval)\b/;
const PROCESS_EVENT = /\bprocess\s*\.\s*(?:on|once|addListener|prependListener)\b/;
const CONSOLE = /\bconsole\s*\./;

/** Path in the project, with forward slashes, to source text. */
type Sources = ReadonlyMap<string, string>;

function readSources(...folders: string[]): Sources {
  const sources = new Map<string, string>();
  for (const folder of folders) {
    for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (path.endsWith('.ts')) sources.set(join(folder, path), readFileSync(join(folder, path), 'utf8'));
    }
  }
  return sources;
}

/** The text without its comments; strings stay, so that a `//` in one does not hide the rest of its line. */
function withoutComments(text: string): string {
  const stringOrComment = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return text.replace(stringOrComment, (_, string: string | undefined) => string ?? '');
}

/** The module specifiers that a source names: import, export from, dynamic import, import types. */
function importsOf(text: string): string[] {
  const code = withoutComments(text);
  const statement = /\b(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/g;
  const bare = /(?:^|[;\n])\s*import\s*['"]([^'"]+)['"]/g;
  const call = /\bimport\s*\(\s*['"]([^'"]+)['"]/g;
  return [statement, bare, call].flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] as string));
}

/** The project files that a source imports. */
function localImports(path: string, text: string): string[] {
  return importsOf(text)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => normalize(join(dirname(path), specifier)).replace(/\.js$/, '.ts'));
}

/** `src/core/queue.ts` -> `core`; a file directly in src is a layer by its own name, and signals belong to the CLI. */
function layerOf(path: string): string {
  const [, first = ''] = path.split('/');
  const name = first.replace(/\.ts$/, '');
  return name === 'signals' ? 'cli' : name;
}

function columnOf(layer: string): number {
  return COLUMNS.findIndex((column) => column.includes(layer));
}

function isLegalImport(from: string, to: string): boolean {
  if (from === to) return true;
  if (APART.some(([one, other]) => (from === one && to === other) || (from === other && to === one))) return false;
  return columnOf(to) < columnOf(from);
}

function layerTroubles(sources: Sources): string[] {
  const troubles: string[] = [];
  for (const [path, text] of sources) {
    const layer = layerOf(path);
    if (columnOf(layer) < 0) troubles.push(`${path}: ${layer} is no layer of DESIGN section 2`);
    for (const target of localImports(path, text)) {
      if (!target.startsWith('src/')) troubles.push(`${path} leaves src: ${target}`);
      else if (!isLegalImport(layer, layerOf(target)))
        troubles.push(`${path} (${layer}) imports ${target} (${layerOf(target)})`);
    }
  }
  return troubles;
}

/** Each circle of imports once, as `a -> b -> a`. */
function circles(sources: Sources): string[] {
  const found: string[] = [];
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) found.push([...trail.slice(at), path].join(' -> '));
    if (at >= 0 || finished.has(path)) return;
    for (const next of localImports(path, sources.get(path) ?? '')) visit(next, [...trail, path]);
    finished.add(path);
  };
  for (const path of sources.keys()) visit(path, []);
  return found;
}

/** Lines of code that match, in files that `isAllowed` does not let off. */
function uses(sources: Sources, pattern: RegExp, isAllowed: (path: string) => boolean): string[] {
  return [...sources]
    .filter(([path]) => !isAllowed(path))
    .flatMap(([path, text]) =>
      withoutComments(text)
        .split('\n')
        .filter((line) => pattern.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    );
}

/** Libraries that a driver is made of. */
const DRIVER_LIBRARIES: readonly string[] = ['firmata-io', 'johnny-five'];

function driverTroubles(sources: Sources): string[] {
  const isFree = (specifier: string): boolean =>
    specifier === 'ferrule/driver' || specifier.startsWith('node:') || builtinModules.includes(specifier);
  // A driver that is more than one noun has a folder of parts beside it; parts may be shared.
  const isPart = (path: string, specifier: string): boolean =>
    specifier.startsWith('.') && /^devices\/[\w-]+\//.test(localImports(path, `import '${specifier}'`)[0] ?? '');
  return [...sources].flatMap(([path, text]) =>
    importsOf(text)
      .filter((specifier) => !isFree(specifier) && !DRIVER_LIBRARIES.includes(specifier) && !isPart(path, specifier))
      .map((specifier) => `${path} imports ${specifier}`),
  );
}

const src = readSources('src');

test('each file imports only from its own folder and from layers to the left', (t) => {
  t.true(src.size > 10);
  t.deepEqual(layerTroubles(src), []);
});

test('there are no import circles', (t) => {
  t.deepEqual(circles(src), []);
});

test('only src/signals.ts listens to the process', (t) => {
  t.deepEqual(
    uses(src, PROCESS_EVENT, (path) => path === 'src/signals.ts'),
    [],
  );
});

test('only the CLI writes to the console', (t) => {
  t.deepEqual(
    uses(src, CONSOLE, (path) => layerOf(path) === 'cli'),
    [],
  );
});

test('time, randomness and timers come from the clock', (t) => {
  t.deepEqual(
    uses(src, HIDDEN_CLOCK, (path) => path in HIDDEN_CLOCKS),
    [],
  );
});

test('every exception for a hidden clock is still needed', (t) => {
  for (const path of Object.keys(HIDDEN_CLOCKS)) t.regex(withoutComments(src.get(path) ?? ''), HIDDEN_CLOCK, path);
});

test('a driver imports nothing but ferrule/driver and what Node brings', (t) => {
  const devices = readSources('devices');
  t.true(devices.size > 0);
  t.deepEqual(driverTroubles(devices), []);
});

test('the checker sees every form of import, and none in comments', (t) => {
  const text = `
    import test from 'a';
    import type { B } from "b";
    import { c,
      type C } from 'c';
    export * from 'd';
    export { e } from 'e';
    import 'f';
    const g = await import('g');
    type H = import('h').H;
    // import i from 'i';
    /* import j from 'j'; */
    const url = 'http://k'; import k from 'k';`;
  t.deepEqual(importsOf(text).sort(), ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'k']);
});

test('the checker finds imports to the right, between siblings, between group and uplink, and out of src', (t) => {
  const sources = new Map([
    ['src/core/a.ts', "import type { X } from '../device/x.js';"],
    ['src/config/b.ts', "import { y } from '../spool/y.js';"],
    ['src/uplink/c.ts', "export { z } from '../group/z.js';"],
    ['src/device/d.ts', "const lines = await import('../../devices/lines.js');"],
    ['src/gateway.ts', "import { main } from './cli/main.js';"],
    ['src/group/e.ts', "import { fine } from '../core/fine.js';\nimport { near } from './deep/near.js';"],
    ['src/signals.ts', "import { fine } from './gateway.js';"],
    ['src/helpers/f.ts', ''],
  ]);
  t.deepEqual(layerTroubles(sources), [
    'src/core/a.ts (core) imports src/device/x.ts (device)',
    'src/config/b.ts (config) imports src/spool/y.ts (spool)',
    'src/uplink/c.ts (uplink) imports src/group/z.ts (group)',
    'src/device/d.ts leaves src: devices/lines.ts',
    'src/gateway.ts (gateway) imports src/cli/main.ts (cli)',
    'src/helpers/f.ts: helpers is no layer of DESIGN section 2',
  ]);
});

test('the checker finds circles, also of types and through several files', (t) => {
  const sources = new Map([
    ['src/core/a.ts', "import { b } from './b.js';"],
    ['src/core/b.ts', "import { c } from './c.js';"],
    ['src/core/c.ts', "import type { A } from './a.js';"],
    ['src/core/self.ts', "import { self } from './self.js';"],
    ['src/core/fine.ts', "import { a } from './a.js';"],
  ]);
  t.deepEqual(circles(sources), [
    'src/core/a.ts -> src/core/b.ts -> src/core/c.ts -> src/core/a.ts',
    'src/core/self.ts -> src/core/self.ts',
  ]);
});

test('the checker finds hidden clocks, process listeners, the console and foreign imports of drivers', (t) => {
  const sources = new Map([
    ['src/core/a.ts', 'const at = Date.now(); // fine: setTimeout'],
    ['src/core/b.ts', "process.once('SIGTERM', stop);\nconsole.log('tcp://host');"],
  ]);
  t.deepEqual(
    uses(sources, HIDDEN_CLOCK, () => false),
    ['src/core/a.ts: const at = Date.now();'],
  );
  t.is(uses(sources, PROCESS_EVENT, () => false).length, 1);
  t.is(uses(sources, CONSOLE, () => false).length, 1);
  t.deepEqual(
    uses(sources, CONSOLE, (path) => path === 'src/core/b.ts'),
    [],
  );
  const drivers = new Map([
    ['devices/x.ts', "import { z } from 'zod';\nimport fs from 'node:fs';\nimport d from 'ferrule/driver';"],
    ['devices/y.ts', "import './y/part.js';\nimport './x.js';"],
    ['devices/y/part.ts', "import '../z/shared.js';\nimport '../../src/core/clock.js';"],
  ]);
  t.deepEqual(driverTroubles(drivers), [
    'devices/x.ts imports zod',
    'devices/y.ts imports ./x.js',
    'devices/y/part.ts imports ../../src/core/clock.js',
  ]);
});
