import { Writable } from 'node:stream';
import test from 'ava';
import { LinePrinter } from '../../src/cli/print.js';

/** A stream that takes everything, and a way to print to it; three lines are printed already. */
function printed() {
  const chunks: string[] = [];
  const stream = new Writable({ write: (chunk, _, done) => done(void chunks.push(String(chunk))) });
  const printer = new LinePrinter(() => stream);
  for (const line of ['one', 'two', 'three']) printer.line(line);
  return { chunks, stream, printer };
}

const failure = (code: string): Error => Object.assign(new Error(`write ${code}`), { code });

test('lines are printed with their ends', (t) => {
  t.deepEqual(printed().chunks, ['one\n', 'two\n', 'three\n']);
});

test('a reader who closes the pipe is no failure, and is watched for once', async (t) => {
  const { stream, printer } = printed();
  t.is(stream.listenerCount('error'), 1);
  t.notThrows(() => stream.emit('error', failure('EPIPE')));
  t.is(await printer.failure(), undefined);
});

test('a full disk is told at the end, and lets the command go on until then', async (t) => {
  let isFull = false;
  const chunks: string[] = [];
  const write = (chunk: unknown, _: unknown, done: (error?: Error) => void): void => {
    if (isFull) done(failure('ENOSPC'));
    else done(void chunks.push(String(chunk)));
  };
  const printer = new LinePrinter(() => new Writable({ write, autoDestroy: false }));
  printer.line('one');
  isFull = true;
  printer.line('two');
  printer.line('three');
  t.is((await printer.failure())?.message, 'write ENOSPC');
  t.deepEqual(chunks, ['one\n']);
});

test('where nothing was printed, nothing is asked for', async (t) => {
  const printer = new LinePrinter(() => t.fail() as never);
  t.is(await printer.failure(), undefined);
});
