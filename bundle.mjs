// The last step of the build: puts what starts a process into few files, over what tsc has written to dist. Some 600 modules
// read one by one take longer than all the rest of a start. Everything else in dist stays as it is, for the tests; `*.d.ts` too.
//
//   dist/src/cli/main.js, device/driver.js, ...     the entries below, which bin, exports and the Workers name
//   dist/src/chunks/*.js                            what they share, and what is imported when it is needed
//
// Names and lines are kept, so that a stack says where it happened; `node --enable-source-maps` says it in TypeScript.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const dist = path.resolve(process.argv[2] ?? fileURLToPath(new URL('dist', import.meta.url)));
const CHUNKS = 'src/chunks';

/** Every file of ours that a process, a Worker or a user's import begins with. Drivers are none: they import `driver.js`. */
const ENTRIES = [
  'cli/main',
  'device/driver',
  'group/session/session-worker',
  'group/worker/decode-worker',
  'hil/avr/board-worker',
  'hil/hil',
  'hil/leash',
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
const BANNER = `import { createRequire as __createRequire } from 'node:module';
const require = __createRequire(import.meta.url);
const __dist = import.meta.url.slice(0, import.meta.url.lastIndexOf('/src/') + 1);`;

/** `import.meta.url` goes on to mean the place of the file that says it, wherever its text ends up. */
const ownUrl = {
  name: 'own-url',
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path: file }) => {
      const name = path.relative(dist, file);
      if (name.startsWith('..')) return undefined;
      const text = readFileSync(file, 'utf8');
      return { contents: text.replaceAll('import.meta.url', `(__dist + ${JSON.stringify(name)})`), loader: 'js' };
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
await build({
  entryPoints: ENTRIES.map((name) => path.join(dist, 'src', `${name}.js`)),
  outdir: dist,
  outbase: dist,
  allowOverwrite: true,
  chunkNames: `${CHUNKS}/[name]-[hash]`,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  sourcesContent: false,
  banner: { js: BANNER },
  external: EXTERNAL,
  plugins: [ownUrl, nativeFolders, onlyEnglish, nodeStreams, unreached],
  logLevel: 'warning',
});
