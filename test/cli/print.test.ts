import { Writable } from 'node:stream';
import test from 'ava';
import { printTo } from '../../src/cli/print.js';

/** A stream that takes everything, and a way to print to it; three lines are printed already. */
function printed() {
  const chunks: string[] = [];
  const stream = new Writable({ write: (chunk, _, done) => done(void chunks.push(String(chunk))) });
  const print = printTo(() => stream);
  for (const line of ['one', 'two', 'three']) print(line);
  return { chunks, stream };
}

const failure = (code: string): Error => Object.assign(new Error(`write ${code}`), { code });

test('lines are printed with their ends', (t) => {
  t.deepEqual(printed().chunks, ['one\n', 'two\n', 'three\n']);
});

test('a reader who closes the pipe is no failure, and is watched for once', (t) => {
  const { stream } = printed();
  t.is(stream.listenerCount('error'), 1);
  t.notThrows(() => stream.emit('error', failure('EPIPE')));
});

test('a full disk is a failure, unless somebody else sees to it', (t) => {
  const { stream } = printed();
  t.throws(() => stream.emit('error', failure('ENOSPC')), { message: 'write ENOSPC' });
  const seen: Error[] = [];
  stream.on('error', (error) => seen.push(error));
  stream.emit('error', failure('ENOSPC'));
  t.is(seen.length, 1);
});
