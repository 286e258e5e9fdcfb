// The program behind `main.ts`, in one file (`bundle.mjs` makes it), and what the engine has made of that file before: parsing and
// compiling would be a third of a start. It is kept beside the file by `keep-program.ts`, the last step of a build, and holds for
// one version of Node, one architecture and one set of engine flags; for any other the file itself is good enough.
//
//   ferrule.cjs, ferrule.cjs.v22.21.0-arm64.code --> run
//   ferrule.cjs ----------------------------------> run, with Node's own compile cache where it has one (22.1 and later)
//   neither: a build by tsc alone ----------------> import, module by module

import { closeSync, existsSync, openSync, readFileSync, readSync, renameSync, statSync, writeFileSync } from 'node:fs';
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

/** Two checksums: of the program's text, and of what follows. */
const HEADER_BYTES = 8;

/** The program of this build; may not be there. */
export const programFile: string = fileURLToPath(new URL('../ferrule.cjs', import.meta.url));

/** Where the compiled code of a program is kept. */
export function codeFileOf(file: string): string {
  return `${file}.${process.version}-${process.arch}.code`;
}

/** Loads the program of this build, the quickest way there is. */
export async function loadProgram(env: Environment): Promise<Program> {
  if (!existsSync(programFile)) return import(new URL('./command-line.js', import.meta.url).href);
  // Of code that is not loaded as a module Node knows no source map.
  const isMapped = process.execArgv.includes('--enable-source-maps');
  if (!isMapped && existsSync(codeFileOf(programFile))) return compile<Program>(programFile).run();
  keepCompiled(env);
  return createRequire(import.meta.url)(programFile);
}

/** Compiles a bundle, or reads what has been kept of it. Throws where there is no such file, or it is no program. */
export function compile<Exports>(file: string): CompiledProgram<Exports> {
  const codeFile = codeFileOf(file);
  const bytes = Math.max(statSync(file).size, existsSync(codeFile) ? statSync(codeFile).size : 0);
  // Given back to the system when it has been read: as garbage, four megabytes would lie there until the heap is looked through.
  const memory = new ArrayBuffer(bytes, { maxByteLength: bytes });
  try {
    const text = readInto(memory, file);
    const textSum = crc32(text);
    const source = text.toString('latin1'); // a bundle is ASCII; one byte per character takes half the memory
    const cachedData = existsSync(codeFile) ? keptCode(readInto(memory, codeFile), textSum) : undefined;
    const script = new vm.Script(source, { filename: file, ...(cachedData && { cachedData }) });
    return {
      isKept: cachedData !== undefined && script.cachedDataRejected === false,
      run: () => run<Exports>(script, file),
      code: () => script.createCachedData(),
    };
  } finally {
    memory.resize(0);
  }
}

/** Keeps compiled code for the next start: whole, or not at all. */
export function keepCode(file: string, code: Buffer): void {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(crc32(readFileSync(file)), 0);
  header.writeUInt32LE(crc32(code), 4);
  const target = codeFileOf(file);
  writeFileSync(`${target}.new`, Buffer.concat([header, code]));
  renameSync(`${target}.new`, target);
}

/** The engine itself would take the code of another text of the same length, and trust what is damaged. */
function keptCode(kept: Buffer, textSum: number): Buffer | undefined {
  if (kept.length < HEADER_BYTES) return undefined;
  const code = kept.subarray(HEADER_BYTES);
  const isWhole = kept.readUInt32LE(0) === textSum && kept.readUInt32LE(4) === crc32(code);
  return isWhole ? code : undefined;
}

function readInto(memory: ArrayBuffer, file: string): Buffer {
  const fd = openSync(file, 'r');
  try {
    let length = 0;
    for (let read = -1; read !== 0 && length < memory.byteLength; length += read) {
      read = readSync(fd, Buffer.from(memory, length));
    }
    return Buffer.from(memory, 0, length);
  } finally {
    closeSync(fd);
  }
}

function run<Exports>(script: vm.Script, file: string): Exports {
  const wrapper: Wrapper = script.runInThisContext();
  // Node 20 forgets, with code that was kept, what `import()` means in it: the bundle takes this one.
  const module = { exports: {}, importModule: (specifier: string): Promise<unknown> => import(specifier) };
  wrapper(module.exports, createRequire(file), module, file);
  return module.exports as Exports;
}
