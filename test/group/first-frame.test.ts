import { once } from 'node:events';
import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type FramingConfig, framingSchema } from '../../src/config/framing-schema.js';
import { systemClock } from '../../src/core/clock.js';
import { type FirstFrameOptions, type Naming, nameByFirstFrame, nameIn } from '../../src/group/first-frame.js';

const LINES: FramingConfig = framingSchema.parse({ type: 'line' });
const LOGIN = /^ID:(\w+)/;

interface Call {
  /** The device's end. */
  readonly device: net.Socket;
  /** The gateway's end. */
  readonly socket: net.Socket;
  readonly naming: Promise<Naming>;
}

async function call(t: ExecutionContext, options: Partial<FirstFrameOptions> = {}): Promise<Call> {
  const server = net.createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const device = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  t.teardown(() => {
    device.destroy();
    socket.destroy();
    server.close();
  });
  const all = { framing: LINES, pattern: LOGIN, timeoutMs: 20_000, clock: systemClock, ...options };
  return { device, socket, naming: nameByFirstFrame(socket, all) };
}

/** What the next owner of the socket reads, until the device hangs up. */
async function restOf(socket: net.Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  socket.resume();
  await once(socket, 'end');
  return text;
}

async function refusal(naming: Promise<Naming>): Promise<string> {
  const result = await naming;
  return result.ok ? `named ${result.name}` : result.why;
}

test('a connection is called what its device calls itself, and its owner reads every byte from the first', async (t) => {
  const { device, socket, naming } = await call(t);
  device.write('ID:4711\n12.5\n13');
  t.deepEqual(await naming, { ok: true, name: '4711' });
  t.is(socket.isPaused(), true);
  device.end('.0\n');
  t.is(await restOf(socket), 'ID:4711\n12.5\n13.0\n');
});

test('a first frame that comes in pieces is one frame', async (t) => {
  const { device, socket, naming } = await call(t);
  for (const piece of ['I', 'D:', '47', '11', '\n']) {
    device.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.deepEqual(await naming, { ok: true, name: '4711' });
  device.end();
  t.is(await restOf(socket), 'ID:4711\n');
});

test('where silence ends a frame, it ends the first one too', async (t) => {
  const framing = framingSchema.parse({ type: 'silence', gap: '30ms' });
  const { device, naming } = await call(t, { framing });
  device.write('ID:4711');
  t.deepEqual(await naming, { ok: true, name: '4711' });
});

test('junk before the first frame is left to the decoder', async (t) => {
  const framing = framingSchema.parse({ type: 'start-end', start: '<', end: '>' });
  const { device, socket, naming } = await call(t, { framing });
  device.end('noise<ID:7>');
  t.deepEqual(await naming, { ok: true, name: '7' });
  t.is(await restOf(socket), 'noise<ID:7>');
});

test('a device that says something else gets no name, and the reason shows what it said', async (t) => {
  const { device, naming } = await call(t);
  device.write('GET / HTTP/1.1\r\n');
  t.is(await refusal(naming), 'its first frame "GET / HTTP/1.1\\r" does not match ^ID:(\\w+)');
});

test('only the first frame counts', async (t) => {
  const { device, naming } = await call(t);
  device.write('hello\nID:4711\n');
  t.regex(await refusal(naming), /^its first frame "hello" does not match/);
});

test('a device that says nothing, too much, or leaves gets no name', async (t) => {
  const silent = await call(t, { timeoutMs: 50 });
  t.is(await refusal(silent.naming), 'it said no whole frame in 0.05 s');
  const endless = await call(t, { framing: framingSchema.parse({ type: 'line', max_length: '128KiB' }) });
  endless.device.write(Buffer.alloc(80 * 1024, 'x'));
  t.regex(await refusal(endless.naming), /^it said \d{5} bytes without a whole frame$/);
  const leaving = await call(t);
  leaving.device.end('ID:47');
  t.is(await refusal(leaving.naming), 'it was gone before it had said a whole frame');
  const broken = await call(t);
  broken.device.resetAndDestroy();
  t.is(await refusal(broken.naming), 'it was gone before it had said a whole frame');
});

test('a name is one segment of a topic: group 1 or the whole match, cleaned; words of our own topics are refused', (t) => {
  const name = (text: string, pattern: RegExp): string => {
    const naming = nameIn(Buffer.from(text), pattern);
    return naming.ok ? naming.name : naming.why;
  };
  t.is(name('ID:4711', LOGIN), '4711');
  t.is(name('scale 9', /.+/), 'scale_9');
  t.is(name(' a/b+c#d \r', /.+/), 'a_b_c_d');
  t.is(name('name:', /name:(.*)/), 'the name "" is empty');
  t.regex(name('set', /.+/), /^the name "set" has the segment "set", a word that Ferrule's topics use/);
  t.regex(name('x'.repeat(65), /.+/), /^the name "x{40}\.\.\." is longer than 64 characters$/);
  t.regex(name('a\x01b', /.+/), /contains a control character$/);
  t.regex(name('..', /.+/), /has a segment "\." or "\.\."$/);
  t.regex(name(`${' '.repeat(2000)}ID:1`, /ID:(\d)/), /does not match/, 'beyond the first KiB nobody looks');
});
