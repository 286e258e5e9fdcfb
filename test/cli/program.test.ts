import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { type CompiledProgram, codeFileOf, compile, keepCode, programFile } from '../../src/cli/program.js';

/** As `bundle.mjs` makes them: a function, and what is imported later comes through the module that it is given. */
const PROGRAM = `(function (exports, require, module, __filename) {
const __import = module.importModule;
const { sep } = require('node:path');
exports.answer = () => 1 + 41;
exports.sep = sep;
exports.where = __filename;
exports.load = (specifier) => __import(specifier);
})`;

interface Sample {
  answer(): number;
  readonly sep: string;
  readonly where: string;
  load(specifier: string): Promise<{ readonly default: unknown }>;
}

function sample(t: ExecutionContext, text = PROGRAM): string {
  const dir = mkdtempSync(path.join(import.meta.dirname, 'program-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const file = path.join(dir, 'sample.cjs');
  writeFileSync(file, text);
  return file;
}

/** Compiles, runs and keeps a program, as a build does. */
function kept(file: string): CompiledProgram<Sample> {
  const program = compile<Sample>(file);
  program.run().answer();
  keepCode(file, program.code());
  return program;
}

test('a program runs the same, compiled now or before', async (t) => {
  const file = sample(t);
  t.false(kept(file).isKept);
  const again = compile<Sample>(file);
  t.true(again.isKept);
  const { answer, sep, where, load } = again.run();
  t.is(answer(), 42);
  t.is(sep, path.sep);
  t.is(where, file);
  const module = path.join(path.dirname(file), 'late.mjs');
  writeFileSync(module, 'export default "late";');
  t.is((await load(pathToFileURL(module).href)).default, 'late');
});

test('a text that was changed is compiled anew, also where its length has stayed', (t) => {
  const file = sample(t);
  kept(file);
  writeFileSync(file, PROGRAM.replace('1 + 41', '1 + 42'));
  const changed = compile<Sample>(file);
  t.false(changed.isKept);
  t.is(changed.run().answer(), 43);
});

test('code that is damaged or cut off is not used, and nothing fails', (t) => {
  const damages: ((codeFile: string) => void)[] = [
    (codeFile) => truncateSync(codeFile, statSync(codeFile).size - 1),
    (codeFile) => truncateSync(codeFile, 3),
    (codeFile) => truncateSync(codeFile, 0),
    (codeFile) => writeFileSync(codeFile, flipped(readFileSync(codeFile), 100)),
  ];
  const file = sample(t);
  for (const damage of damages) {
    kept(file);
    damage(codeFileOf(file));
    const program = compile<Sample>(file);
    t.false(program.isKept);
    t.is(program.run().answer(), 42);
  }
});

test('kept code that cannot be read is no reason to fail', (t) => {
  const file = sample(t);
  mkdirSync(codeFileOf(file));
  t.is(compile<Sample>(file).run().answer(), 42);
  rmSync(codeFileOf(file), { recursive: true });
  symlinkSync(codeFileOf(file), codeFileOf(file));
  t.is(compile<Sample>(file).run().answer(), 42);
});

test('whoever may read the program may read its code', (t) => {
  const file = sample(t);
  chmodSync(file, 0o644);
  const before = process.umask(0o077);
  t.teardown(() => process.umask(before));
  kept(file);
  t.is(statSync(codeFileOf(file)).mode & 0o777, 0o644);
});

test('code that could not be kept leaves nothing behind', (t) => {
  const file = sample(t);
  mkdirSync(codeFileOf(file));
  t.throws(() => keepCode(file, Buffer.from('code')));
  t.deepEqual(readdirSync(path.dirname(file)).length, 2);
});

test('code of another engine is refused by this one, and nothing fails', (t) => {
  const file = sample(
    t,
    `${PROGRAM}// never compiled before: within a process the engine remembers what it has compiled`,
  );
  keepCode(file, Buffer.from('what another engine has made of it'));
  const program = compile<Sample>(file);
  t.false(program.isKept);
  t.is(program.run().answer(), 42);
});

test('an error in the program names its own line', (t) => {
  const file = sample(t, '(function (exports) {\n  exports.answer = () => { throw new Error("broken"); };\n})');
  const program = compile<Sample>(file);
  const error = t.throws(() => program.run().answer());
  t.true(error.stack?.includes(`${file}:2:34`), error.stack);
});

test('the program of the build is read byte by byte', (t) => {
  t.true(readFileSync(programFile).every((byte) => byte < 0x80));
});

test('the build has kept the code of the command, for this Node and the flags that it runs with', (t) => {
  const own = (name: string): string => JSON.stringify(new URL(`../../src/cli/${name}.js`, import.meta.url).href);
  const script = `import ${own('small-heap')};
    import { compile, programFile } from ${own('program')};
    console.log(compile(programFile).isKept);`;
  const env = { ...process.env, NODE_V8_COVERAGE: '' };
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { env });
  t.is(`${stdout}`, 'true\n', `${stderr}; built by another Node than ${process.version}? run npm run build`);
});

function flipped(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
  return bytes;
}
