// Takes out of node_modules what a running gateway never reads: binaries for other systems, C++ sources, type declarations,
// source maps. Run by the Dockerfiles after `npm ci --omit=dev`, on the board's own architecture.
//
//   node prune.mjs node_modules          prints how much is gone

import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

const HERE = `${process.platform}-${process.arch}`;
/** Folders of C++ and its build recipes, in packages that load a prebuilt binary. */
const SOURCES = ['deps', 'src', 'vendor', 'binding.gyp', 'binding.cc', 'CMakeLists.txt'];
const UNREAD = /\.(?:d\.ts|d\.mts|d\.cts|map|md|markdown|ts|mts|cts)$/i;

let freed = 0;

function sizeOf(entry) {
  const stat = lstatSync(entry);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(entry).reduce((sum, name) => sum + sizeOf(path.join(entry, name)), 0);
}

function remove(entry) {
  freed += sizeOf(entry);
  rmSync(entry, { recursive: true });
}

/** `linux-arm64` for this board; `linux-arm` holds armv6 and armv7, and node-gyp-build chooses between them. */
function prunePrebuilds(dir) {
  const mine = path.join(dir, 'prebuilds');
  // Better all of them than none: a package with nothing for this system fails when it is loaded, and says so.
  if (!existsSync(path.join(mine, HERE))) return;
  for (const name of readdirSync(mine)) if (name !== HERE) remove(path.join(mine, name));
  for (const name of SOURCES) if (existsSync(path.join(dir, name))) remove(path.join(dir, name));
}

function prune(dir) {
  if (existsSync(path.join(dir, 'prebuilds'))) prunePrebuilds(dir);
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const full = path.join(dir, entry.name);
    if (entry.isDirectory()) prune(full);
    else if (entry.isFile() && UNREAD.test(entry.name) && !/^licen[cs]e/i.test(entry.name)) remove(full);
  }
}

const [root] = process.argv.slice(2);
if (root === undefined) {
  process.stderr.write('usage: node prune.mjs NODE_MODULES\n');
  process.exit(64);
}
const before = sizeOf(root);
prune(root);
const mb = (bytes) => (bytes / 1e6).toFixed(1);
process.stdout.write(`${root}: ${mb(before)} MB, now ${mb(before - freed)} MB\n`);
