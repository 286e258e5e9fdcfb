// A config on an imaginary disk: files by absolute path, so that tests of loading touch nothing.

import { basename, dirname } from 'node:path';
import { type LoadOptions, type LoadResult, loadConfig } from '../../src/config/load.js';
import { formatProblem } from '../../src/config/problem.js';
import type { Config } from '../../src/config/schema.js';
import type { ConfigSource } from '../../src/config/source.js';

const CWD = '/gw';

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
}

/** Loads `files` (name below /gw, or absolute path -> text) as the config of the host `board`. */
export function loadFiles(files: Readonly<Record<string, string>>, options: Partial<LoadOptions> = {}): LoadResult {
  const byPath = new Map(
    Object.entries(files).map(([name, text]) => [name.startsWith('/') ? name : `${CWD}/${name}`, text]),
  );
  return loadConfig({
    cwd: CWD,
    env: {},
    hostname: 'board',
    readFile(path) {
      const text = byPath.get(path);
      if (text === undefined) throw missing(path);
      return text;
    },
    readDir(path) {
      const names = [...byPath.keys()].filter((name) => dirname(name) === path).map((name) => basename(name));
      if (names.length === 0) throw missing(path);
      return names;
    },
    realPath: (path) => path,
    ...options,
  });
}

/** Loads one ferrule.yaml that must be right. */
export function loadText(text: string, options: Partial<LoadOptions> = {}): { config: Config; source: ConfigSource } {
  const result = loadFiles({ 'ferrule.yaml': text }, options);
  if (!result.ok) throw new Error(problemLines(result).join('\n'));
  return result;
}

/** The problems of one ferrule.yaml, as printed. */
export function problemsOf(text: string, options: Partial<LoadOptions> = {}): string[] {
  return problemLines(loadFiles({ 'ferrule.yaml': text }, options));
}

/** The problems of a result, as printed. */
export function problemLines(result: LoadResult): string[] {
  if (result.ok) return [];
  return 'missing' in result ? result.missing.map((path) => `missing ${path}`) : result.problems.map(formatProblem);
}
