// The program behind `main.ts`, in one file (`bundle.mjs` makes it), and what the engine has made of that file before: parsing and
// compiling would be a third of a start. It is kept beside the file by `keep-program.ts`, the last step of a build, and holds for
// one version of Node, one architecture and one set of engine flags. What cannot be read or used is done without.
//
//   ferrule.cjs, ferrule.cjs.v22.21.0-arm64.code --> run
//   ferrule.cjs ----------------------------------> run, with Node's own compile cache where it has one (22.1 and later)
//   not bundled: what tsc alone has written -------> import, module by module

import {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { crc32 } from 'node:zlib';
import { type Environment, keepCompiled } from './compile-cache.js';

export type Program = Pick<typeof import('./command-line.js'), 'runCommandLine'>;

/** A program that has been compiled, or read as compiled before. */
export interface CompiledProgram<Exports> {
  /** Nothing had to be compiled. */
  readonly isKept: boolean;
  run(): Exports;
  /** What the engine has made of it so far, for `keepCode`. After `run`, and some work: what has not run yet is compiled later. */
  code(): Buffer;
}

/** What the script of a bundle is: see `bundle.mjs`. */
type Wrapper = (exports: object, require: NodeJS.Require, module: object, filename: string) => void;

/** A file, open, and its size in bytes. */
interface OpenFile {
  readonly fd: number;
  readonly size: number;
}

/** Set by `bundle.mjs`. Where it is not, what tsc has written may be newer than a bundle that is there from before. */
declare const BUNDLED: true | undefined;

/** Two checksums: of the program's text, and of what follows. */
const HEADER_BYTES = 8;

/** The program of this build. */
export const programFile: string = fileURLToPath(new URL('../ferrule.cjs', import.meta.url));

/** Where the compiled code of a program is kept. */
export function codeFileOf(file: string): string {
  return `${file}.${process.version}-${process.arch}.code`;
}

/** Loads the program of this build, the quickest way there is. */
export async function loadProgram(env: Environment): Promise<Program> {
  if (typeof BUNDLED === 'undefined') return import(new URL('./command-line.js', import.meta.url).href);
  // Of code that is not loaded as a module Node knows no source map.
  const program =
    process.sourceMapsEnabled || !existsSync(codeFileOf(programFile)) ? undefined : compile<Program>(programFile);
  if (program?.isKept) return program.run();
  const isKeptByNode = keepCompiled(env);
  return program === undefined || isKeptByNode ? createRequire(import.meta.url)(programFile) : program.run();
}

/** Compiles a bundle, or reads what has been kept of it. Throws where there is no such file, or it is no program. */
export function compile<Exports>(file: string): CompiledProgram<Exports> {
  const program = openFile(file);
  const code = openIfThere(codeFileOf(file));
  const bytes = Math.max(program.size, code?.size ?? 0);
  // Given back to the system when it has been read: as garbage, megabytes would lie there until the heap is looked through.
  const memory = new ArrayBuffer(bytes, { maxByteLength: bytes });
  try {
    const text = readInto(memory, program);
    const textSum = crc32(text);
    const source = text.toString('latin1'); // a bundle is ASCII; one byte per character takes half the memory
    const cachedData = code && keptCode(memory, code, textSum);
    const script = new vm.Script(source, { filename: file, ...(cachedData && { cachedData }) });
    return {
      isKept: cachedData !== undefined && script.cachedDataRejected === false,
      run: () => run<Exports>(script, file),
      code: () => script.createCachedData(),
    };
  } finally {
    memory.resize(0);
    for (const open of [program, code]) if (open !== undefined) closeSync(open.fd);
  }
}

/** Keeps compiled code for the next start, for all who may read the program: whole, or not at all. */
export function keepCode(file: string, code: Buffer): void {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(crc32(readFileSync(file)), 0);
  header.writeUInt32LE(crc32(code), 4);
  const target = codeFileOf(file);
  const fresh = `${target}.${process.pid}`;
  try {
    writeFileSync(fresh, Buffer.concat([header, code]));
    chmodSync(fresh, statSync(file).mode);
    renameSync(fresh, target);
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** The engine itself would take the code of another text of the same length, and trust what is damaged. */
function keptCode(memory: ArrayBuffer, open: OpenFile, textSum: number): Buffer | undefined {
  const bytes = readIfPossible(memory, open);
  if (bytes === undefined || bytes.length < HEADER_BYTES) return undefined;
  const code = bytes.subarray(HEADER_BYTES);
  const isWhole = bytes.readUInt32LE(0) === textSum && bytes.readUInt32LE(4) === crc32(code);
  return isWhole ? code : undefined;
}

function openFile(file: string): OpenFile {
  const fd = openSync(file, 'r');
  return { fd, size: fstatSync(fd).size };
}

/** Undefined also for one that may not be read, and for what is no file. */
function openIfThere(file: string): OpenFile | undefined {
  try {
    return statSync(file).isFile() ? openFile(file) : undefined;
  } catch {
    return undefined;
  }
}

function readInto(memory: ArrayBuffer, { fd, size }: OpenFile): Buffer {
  let length = 0;
  for (let read = -1; read !== 0 && length < size; length += read) {
    read = readSync(fd, Buffer.from(memory, length, size - length));
  }
  return Buffer.from(memory, 0, length);
}

/** Undefined where the disk cannot read it any more. */
function readIfPossible(memory: ArrayBuffer, open: OpenFile): Buffer | undefined {
  try {
    return readInto(memory, open);
  } catch {
    return undefined;
  }
}

function run<Exports>(script: vm.Script, file: string): Exports {
  const wrapper: Wrapper = script.runInThisContext();
  // Node 20 forgets, with code that was kept, what `import()` means in it: the bundle takes this one.
  const module = { exports: {}, importModule: (specifier: string): Promise<unknown> => import(specifier) };
  wrapper(module.exports, createRequire(file), module, file);
  return module.exports as Exports;
}
