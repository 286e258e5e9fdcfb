// YAML text -> tree with places. Aliases and `<<` merges are followed (within bounds), `${VAR}` is replaced and
// `!file path` is read here, so that everything after this sees plain values. Never throws: all trouble is a Problem.

import { dirname, resolve } from 'node:path';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { messageOf } from '../core/errors.js';
import { type ReadFile, readFileValue } from './file-value.js';
import { type ConfigPath, formatPath, formatPlace, type Place, type Problem } from './problem.js';
import { substitute } from './substitute.js';
import { type Entry, emptyMap, type MapTree, type ScalarTree, type ScalarValue, type Tree } from './tree.js';

/** Far beyond any real config; what is larger is a mistake or an attack ("billion laughs"). */
const MAX_CHARS = 1024 ** 2;
const MAX_NODES = 100_000;
const MAX_DEPTH = 64;
/** What stands for bytes that are no UTF-8. */
const NOT_UTF8 = '\ufffd';

export interface YamlFile {
  /** As shown to people. */
  readonly name: string;
  /** Absolute; `!file` is relative to its folder. */
  readonly path: string;
  readonly text: string;
}

export interface YamlSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: ReadFile;
}

export interface YamlResult {
  readonly tree: Tree;
  readonly problems: Problem[];
  /** The file is no YAML: the tree is only a part of what was meant. */
  readonly isBroken: boolean;
}

/** Reads one YAML document. An empty one is an empty map. */
export function parseYaml(file: YamlFile, surroundings: YamlSurroundings): YamlResult {
  const start: Place = { file: file.name, line: 1, col: 1 };
  const broken = (found: string): YamlResult => ({
    tree: emptyMap(start),
    problems: [{ ...start, path: '', expected: '', found }],
    isBroken: true,
  });
  if (file.text.length > MAX_CHARS) return broken(`larger than ${MAX_CHARS} characters`);
  if (file.text.includes(NOT_UTF8)) return broken('not UTF-8 text: save it as UTF-8');
  const lines = new LineCounter();
  try {
    const document = parseDocument<Node, false>(file.text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false, // reported below, with both places
      logLevel: 'error', // nothing is written; but `silent` would hide that more documents follow
      customTags: [{ tag: '!file', resolve: (text: string) => text }],
    });
    const reader = new Reader(file, surroundings, lines);
    const complaints = [...document.errors, ...document.warnings];
    for (const { pos, code, message } of withoutEchoes(complaints)) {
      reader.report(reader.place(pos[0]), [], '', yamlWords(code, message), variableHint(file.text, pos[0]));
    }
    const tree = complaints.length === 0 && document.contents ? reader.read(document.contents, []) : emptyMap(start);
    return { tree: tree ?? emptyMap(start), problems: reader.problems, isBroken: complaints.length > 0 };
  } catch (error) {
    // The parser recurses: a few thousand open brackets overflow its stack.
    return broken(`cannot be read as YAML: ${messageOf(error)}`);
  }
}

/** One mistake makes the parser stumble over everything behind it: what it says "in YAML stream" after the first is noise. */
function withoutEchoes(complaints: readonly YAMLError[]): YAMLError[] {
  return complaints.filter(({ message }, index) => index === 0 || !/(?:in YAML stream|at node end)/.test(message));
}

/** `{ qos: ${QOS} }`: the inner brace begins a map. */
function variableHint(text: string, offset: number): string | undefined {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset + 2);
  return /[{[].*\$\{$/.test(line.slice(0, line.lastIndexOf('{') + 1)) ? VARIABLE_IN_BRACES : undefined;
}

const VARIABLE_IN_BRACES = `inside { } or [ ] a variable must be quoted: "\${NAME}"`;

/** The parser quotes what it stumbled over; that may be a secret. */
function yamlWords(code: string, message: string): string {
  if (code === 'MULTIPLE_DOCS') return 'a second document begins here (---): only one is read, so put all into it';
  if (/call stack/.test(message)) return 'not valid YAML: nested too deep';
  const words = message.replace(/[:,]? *".*"$/s, '');
  return `not valid YAML: ${words.charAt(0).toLowerCase()}${words.slice(1)}`;
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #file: YamlFile;
  readonly #surroundings: YamlSurroundings;
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  #nodes = 0;

  constructor(file: YamlFile, surroundings: YamlSurroundings, lines: LineCounter) {
    this.#file = file;
    this.#surroundings = surroundings;
    this.#lines = lines;
  }

  place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file.name, line: Math.max(line, 1), col: Math.max(col, 1) };
  }

  report(place: Place, path: ConfigPath, expected: string, found: string, hint?: string): void {
    this.problems.push({ ...place, path: formatPath(path), expected, found, ...(hint === undefined ? {} : { hint }) });
  }

  /** The tree of a node; undefined where a problem was reported instead. */
  read(node: Node, path: ConfigPath): Tree | undefined {
    const place = this.#placeOf(node);
    if (this.#isEndless(place, path)) return undefined;
    if (isAlias(node)) return this.#readAlias(node.source, place, path);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    this.#open.add(node);
    const tree = this.#readContent(node, place, path);
    this.#open.delete(node);
    return tree;
  }

  #readContent(node: Node, place: Place, path: ConfigPath): Tree | undefined {
    if (isMap(node)) return this.#readMap(node as YAMLMap, place, path);
    if (isSeq(node)) return this.#readList(node.items as Node[], place, path);
    return isScalar(node) ? this.#readScalar(node, place, path) : undefined;
  }

  /** Nesting too deep, or aliases that multiply; the latter is reported once. */
  #isEndless(place: Place, path: ConfigPath): boolean {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) {
      if (this.#nodes === MAX_NODES + 1)
        this.report(place, path, '', `more than ${MAX_NODES} values, aliases included`);
      return true;
    }
    if (path.length <= MAX_DEPTH) return false;
    this.report(place, path, '', 'nested too deep');
    return true;
  }

  #placeOf(node: Node): Place {
    return this.place(node.range?.[0] ?? 0);
  }

  #readAlias(name: string, place: Place, path: ConfigPath): Tree | undefined {
    const target = this.#anchors.get(name);
    if (target !== undefined && !this.#open.has(target)) return this.read(target, path);
    const trouble = target === undefined ? `has no anchor &${name} before it` : 'stands inside its own anchor';
    this.report(place, path, '', `the alias *${name} ${trouble}`);
    return undefined;
  }

  #readList(items: readonly Node[], place: Place, path: ConfigPath): Tree {
    const read = items.map((item, index) => this.read(item, [...path, index]));
    return { kind: 'list', items: read.filter((item) => item !== undefined), place };
  }

  #readMap(node: YAMLMap, place: Place, path: ConfigPath): MapTree {
    const entries = new Map<string, Entry>();
    const merged: Tree[] = [];
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      const keyPlace = this.#placeOf(pair.key);
      const key = this.#keyOf(pair.key, keyPlace, path);
      if (key === undefined) continue;
      if (key === '<<') {
        const tree = pair.value === null ? undefined : this.read(pair.value, path);
        if (tree !== undefined) merged.push(tree);
        continue;
      }
      const first = entries.get(key);
      if (first !== undefined) {
        this.report(keyPlace, path, '', `duplicate key "${key}"`, `first at ${formatPlace(first.keyPlace)}`);
        continue;
      }
      const value = isAbsent(pair.value) ? nothing(keyPlace) : this.read(pair.value, [...path, key]);
      if (value !== undefined) entries.set(key, { keyPlace, value });
    }
    for (const tree of merged) this.#merge(entries, tree, path);
    return { kind: 'map', entries, place };
  }

  /** Keys already there win over merged ones, and earlier merged ones over later. */
  #merge(entries: Map<string, Entry>, tree: Tree, path: ConfigPath): void {
    if (tree.kind === 'list') {
      for (const item of tree.items) this.#merge(entries, item, path);
    } else if (tree.kind === 'map') {
      for (const [key, entry] of tree.entries) if (!entries.has(key)) entries.set(key, entry);
    } else {
      this.report(tree.place, path, 'a map to merge with <<', 'something else');
    }
  }

  #keyOf(key: Node, place: Place, path: ConfigPath): string | undefined {
    const value = isScalar(key) ? key.value : undefined;
    if (typeof value === 'string' && value !== '__proto__') return value;
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    this.report(place, path, 'a plain word as key', isScalar(key) ? String(value) : 'a collection or alias');
    return undefined;
  }

  #readScalar(node: { value: unknown; tag?: string }, place: Place, path: ConfigPath): ScalarTree {
    const { value } = node;
    if (typeof value !== 'string') return { kind: 'scalar', value: toScalar(value), place };
    const text = substitute(value, this.#surroundings.env);
    if (text.kind === 'unset' || text.kind === 'malformed') {
      const found =
        text.kind === 'unset'
          ? `the variable ${text.names.join(', ')} is not set`
          : `"${text.at}" is no variable reference`;
      const hint = text.kind === 'unset' ? `\${${text.names[0]}:-...} gives a default` : 'write $${ for a plain ${';
      this.report(place, path, '', found, hint);
      return { kind: 'scalar', value, place, broken: true };
    }
    const resolved = text.kind === 'plain' ? value : text.text;
    if (node.tag === '!file') return this.#readFile(resolved, place, path);
    return { kind: 'scalar', value: resolved, place, loose: text.kind === 'replaced' };
  }

  #readFile(name: string, place: Place, path: ConfigPath): ScalarTree {
    const content = readFileValue(resolve(dirname(this.#file.path), name), this.#surroundings.readFile);
    if (content.ok) return { kind: 'scalar', value: content.text, place, secret: true };
    this.report(place, path, '', content.reason);
    return { kind: 'scalar', value: '', place, broken: true };
  }
}

/** `key:` with nothing behind it, which has no place of its own. */
function isAbsent(node: Node | null): node is null {
  return node === null || (isScalar(node) && node.value === null && node.range?.[0] === node.range?.[1]);
}

function nothing(place: Place): ScalarTree {
  return { kind: 'scalar', value: null, place };
}

/** The core schema of YAML gives strings, numbers, booleans and null; explicit tags can give more (dates, binary). */
function toScalar(value: unknown): ScalarValue {
  return typeof value === 'number' || typeof value === 'boolean' || value === null ? value : String(value);
}
