// The last steps of the build: puts what starts a process into few files, over what tsc has written to dist. Some 600 modules
// read one by one take longer than all the rest of a start. Everything else in dist stays as it is, for the tests; `*.d.ts` too.
//
//   dist/src/ferrule.cjs                            the command, all of it: one script, which can be kept compiled
//   dist/src/ferrule.cjs.<node>-<arch>.code         what the engine has made of it, for this Node only: cli/keep-program.ts
//   dist/src/cli/main.js                            loads it: cli/program.ts
//   dist/src/device/driver.js                       what drivers import: the command's own, or driver-alone.cjs
//   dist/src/group/worker/decode-worker.js, ...     the entries of Workers, and what tests of rigs import
//   dist/src/chunks/*.js                            what those share
//
// Names and lines are kept, so that a stack says where it happened; `node --enable-source-maps` says it in TypeScript.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const dist = path.resolve(process.argv[2] ?? fileURLToPath(new URL('dist', import.meta.url)));
const CHUNKS = 'src/chunks';

const PROGRAM = 'src/ferrule.cjs';
const DRIVER_ALONE = 'src/device/driver-alone.cjs';

/** What a process begins with, and what runs once after a build: a file each, since they share next to nothing. */
const STARTERS = ['cli/main', 'cli/keep-program'];
/** Every other file of ours that a Worker or a user's import begins with. Drivers are none: they import `driver.js`. */
const ENTRIES = [
  'group/session/session-worker',
  'group/worker/decode-worker',
  'hil/avr/board-worker',
  'hil/hil',
  'hil/leash',
  'hil/leash-worker',
];

/**
 * Left in node_modules: rarely loaded, and large. A package that is not, and that is CommonJS, has nothing but its `default`
 * where it is imported with `await import()`.
 */
const EXTERNAL = ['aedes', 'avr8js', 'firmata-io', 'johnny-five', 'koffi', 'pino-pretty', 'prom-client', 'ws'];

/** Packages that look for their binary beside themselves, and the file that does. */
const NATIVE = {
  '@serialport/bindings-cpp': 'dist/serialport-bindings.js',
  'classic-level': 'binding.js',
};

// `require` is for CommonJS packages; `ownUrl` needs `__dist`. Every output lies below dist/src, none in a `src` deeper.
const ESM_BANNER = `import { createRequire as __createRequire } from 'node:module';
const require = __createRequire(import.meta.url);
const __dist = import.meta.url.slice(0, import.meta.url.lastIndexOf('/src/') + 1);`;

// For `importModule` see cli/program.ts.
const CJS_BANNER = `"use strict";
const __dist = require('node:url').pathToFileURL(__filename.slice(0, __filename.lastIndexOf('/src/') + 1)).href;
const __import = module.importModule ?? ((specifier) => import(specifier));`;
// As a script it is a function, for cli/program.ts to call; as a module it calls that itself.
const PROGRAM_BANNER = `(typeof module === 'object' ? (program) => program(exports, require, module, __filename) : (program) => program)(
(function (exports, require, module, __filename) {
${CJS_BANNER}`;
const PROGRAM_FOOTER = '}));'; // in brackets of its own: the engine then compiles it at once, not twice

/** `import.meta.url` goes on to mean the place of the file that says it, wherever its text ends up. */
const ownUrl = {
  name: 'own-url',
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path: file }) => {
      const contents = ownText(file);
      return contents === undefined ? undefined : { contents, loader: 'js' };
    });
  },
};

/** The text of a file of ours; undefined for one of a package. */
function ownText(file) {
  const name = path.relative(dist, file);
  if (name.startsWith('..')) return undefined;
  return readFileSync(file, 'utf8').replaceAll('import.meta.url', `(__dist + ${JSON.stringify(name)})`);
}

/** In a script, what is not bundled is imported by a function that it is given. */
const outerImports = {
  name: 'outer-imports',
  setup({ onLoad }) {
    const outer = new RegExp(`\\bimport\\((?=[^'"]|['"](?:${EXTERNAL.join('|')})['"])`, 'g');
    onLoad({ filter: /\.js$/ }, ({ path: file }) => {
      const contents = ownText(file);
      return contents === undefined ? undefined : { contents: contents.replaceAll(outer, '__import('), loader: 'js' };
    });
  },
};

/** Native packages look for their binary in node_modules, as if they were still there. */
const nativeFolders = {
  name: 'native-folders',
  setup({ onLoad }) {
    for (const [name, file] of Object.entries(NATIVE)) {
      onLoad({ filter: new RegExp(`/node_modules/${name}/${file}$`) }, ({ path: found }) => {
        const text = readFileSync(found, 'utf8');
        const folder = `require("node:path").dirname(require.resolve(${JSON.stringify(`${name}/${file}`)}))`;
        if (!text.includes('__dirname')) throw new Error(`${found} does not look for its binary by __dirname any more`);
        return { contents: text.replaceAll('__dirname', folder), loader: 'js' };
      });
    }
  },
};

/** zod's messages in 50 languages: ours are our own. A third of zod. */
const onlyEnglish = {
  name: 'only-english',
  setup({ onLoad }) {
    onLoad({ filter: /\/node_modules\/zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
      loader: 'js',
    }));
  },
};

/** A copy of Node's streams for browsers; it has the same switch itself (READABLE_STREAM=disable). */
const nodeStreams = {
  name: 'node-streams',
  setup({ onResolve }) {
    onResolve({ filter: /^readable-stream$/ }, () => ({ path: 'node:stream', external: true }));
  },
};

/** What packages load, and what we never reach in them: 5 to 20 ms each of every start. By what is loaded, and the package that does it. */
const UNREACHED = {
  'node:child_process': 'commander', // subcommands that are programs of their own
  'thread-stream': 'pino', // transports, each in a Worker: see cli/make-log.ts
  socks: 'mqtt', // proxies: the sockets are ours, uplink/broker-socket.ts
  'worker-timers': 'mqtt', // for browsers
};

const unreached = {
  name: 'unreached',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: new RegExp(`^(${Object.keys(UNREACHED).join('|')})$`) }, ({ path: name, importer }) =>
      importer.includes(`/node_modules/${UNREACHED[name]}/`) ? { path: name, namespace: 'nothing' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'nothing' }, () => ({ contents: 'module.exports = {};', loader: 'js' }));
  },
};

if (existsSync(path.join(dist, CHUNKS))) {
  throw new Error(`${dist} is bundled already: build it anew (npm run build)`);
}
const source = (name) => path.join(dist, 'src', `${name}.js`);
const shared = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  sourcesContent: false,
  allowOverwrite: true,
  external: EXTERNAL,
  logLevel: 'warning',
};
const packages = [nativeFolders, onlyEnglish, nodeStreams, unreached];
const esm = { ...shared, outdir: dist, outbase: dist, format: 'esm', banner: { js: ESM_BANNER }, plugins: [ownUrl, ...packages] };
const cjs = {
  ...shared,
  format: 'cjs',
  banner: { js: CJS_BANNER },
  plugins: [outerImports, ...packages],
  supported: { 'dynamic-import': false }, // what is left of them is bundled, or comes with Node
  logOverride: { 'require-resolve-not-external': 'silent' }, // of `nativeFolders`
};

await build({
  ...cjs,
  entryPoints: [source('cli/command-line')],
  outfile: path.join(dist, PROGRAM),
  banner: { js: PROGRAM_BANNER },
  footer: { js: PROGRAM_FOOTER },
});
escapeAll(path.join(dist, PROGRAM));
await build({ ...cjs, entryPoints: [source('device/driver')], outfile: path.join(dist, DRIVER_ALONE) });
await build({ ...esm, entryPoints: ENTRIES.map(source), splitting: true, chunkNames: `${CHUNKS}/[name]-[hash]` });
await build({ ...esm, entryPoints: STARTERS.map(source), define: { BUNDLED: 'true' } }); // see cli/program.ts
writeFileSync(source('device/driver'), driverText());
rmSync(`${source('device/driver')}.map`);
// It says itself what is wrong, and what that means: slower starts, no worse.
// Not with the engine's flags of a build, which no gateway has.
spawnSync(process.execPath, [source('cli/keep-program')], {
  stdio: ['ignore', 'ignore', 'inherit'],
  env: { ...process.env, NODE_OPTIONS: '' },
});

/** What esbuild leaves as it is, regular expressions and comments, in ASCII too: cli/program.ts reads a byte as a character. */
function escapeAll(file) {
  const escaped = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/[^\0-\x7f]/g, escaped));
}

/** `ferrule/driver` without a second copy of what the gateway has loaded: see device/load.ts. */
function driverText() {
  const names = Object.keys(createRequire(import.meta.url)(path.join(dist, DRIVER_ALONE)));
  return `import { createRequire } from 'node:module';
const api = globalThis[Symbol.for('ferrule.driver')] ?? createRequire(import.meta.url)('./${path.basename(DRIVER_ALONE)}');
export const { ${names.join(', ')} } = api;
`;
}
