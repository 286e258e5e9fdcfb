import { Duplex } from 'node:stream';
import test from 'ava';
import { SessionStream, type SessionStreamHooks } from '../../src/uplink/session-stream.js';

/** A socket whose far end is the test. */
class FakeSocket extends Duplex {
  readonly sent: Buffer[] = [];
  /** The system takes nothing until `release`. */
  isStuck = false;
  failsWith: Error | undefined;
  #held: (() => void) | undefined;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.sent.push(Buffer.from(chunk));
    if (this.isStuck) this.#held = done;
    else done(this.failsWith);
  }

  release(): void {
    this.isStuck = false;
    this.#held?.();
  }
}

function setUp(hooks: Partial<SessionStreamHooks> = {}) {
  const socket = new FakeSocket();
  const stream = new SessionStream(socket, { onAck: () => {}, onAcksRead: () => {}, onDrain: () => {}, ...hooks });
  return { socket, stream, sent: () => Buffer.concat(socket.sent).toString('hex') };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('hand-packed bytes never get between the pieces of a packet of mqtt.js', async (t) => {
  const { stream, sent } = setUp();
  stream.write(Buffer.of(0x82));
  stream.write(Buffer.of(3, 1));
  stream.writePackets(Buffer.of(0x30, 2, 0, 0), () => {});
  stream.write(Buffer.of(2, 3));
  await turn();
  t.is(sent(), '30020000' + '8203010203');
  stream.destroy();
});

test('a corked packet goes out as one, between hand-packed ones', async (t) => {
  const { socket, stream } = setUp();
  stream.cork();
  stream.write(Buffer.of(0xc0));
  stream.writePackets(Buffer.of(0x30, 2, 0, 0), () => {});
  stream.write(Buffer.of(0));
  stream.uncork();
  await turn();
  t.deepEqual(
    socket.sent.map((bytes) => bytes.toString('hex')),
    ['30020000', 'c000'],
  );
  stream.destroy();
});

test('done is called when hand-packed bytes are written, and also when they are lost', async (t) => {
  const { socket, stream } = setUp();
  const written = new Promise<void>((resolve) => stream.writePackets(Buffer.of(0xc0, 0), () => resolve()));
  await written;
  socket.destroy();
  await new Promise<void>((resolve) => stream.writePackets(Buffer.of(0xc0, 0), () => resolve()));
  t.is(stream.buffered, Number.POSITIVE_INFINITY);
  stream.destroy();
});

test('memory that the system has taken is free before the write returns, otherwise when it has been taken; once', async (t) => {
  const { socket, stream } = setUp();
  const packet = Buffer.of(0xc0, 0);
  const done: string[] = [];
  stream.writePackets(packet, () => done.push('taken'));
  t.deepEqual(done, ['taken']);
  socket.isStuck = true;
  stream.writePackets(packet, () => done.push('stuck'));
  stream.writePackets(packet, () => done.push('behind it'));
  await turn();
  t.deepEqual(done, ['taken']);
  socket.release();
  await turn();
  t.deepEqual(done, ['taken', 'stuck', 'behind it']);
  stream.destroy();
});

test('a drain is told when the writes before it have been called back: their memory is free then', async (t) => {
  const done: string[] = [];
  const { socket, stream } = setUp({ onDrain: () => done.push('drain') });
  socket.isStuck = true;
  stream.writePackets(Buffer.alloc(64 * 1024), () => done.push('first'));
  stream.writePackets(Buffer.alloc(64 * 1024), () => done.push('second'));
  setImmediate(() => socket.release()); // from the event loop, as the system does it
  await turn();
  await turn();
  t.deepEqual(done, ['first', 'second', 'drain']);
  stream.destroy();
});

test('an error of a write reaches its caller, although the write is over at once', async (t) => {
  const { socket, stream } = setUp();
  stream.on('error', () => {});
  socket.failsWith = new Error('broken');
  const error = await new Promise((resolve) => stream.writePackets(Buffer.of(0xc0, 0), resolve));
  t.is(error, socket.failsWith);
});

test('acknowledgements of one chunk are reported each, then once as read; the rest reaches mqtt.js', async (t) => {
  const heard: string[] = [];
  const { socket, stream } = setUp({
    onAck: (id, code) => heard.push(`${id}:${code}`),
    onAcksRead: () => heard.push('read'),
  });
  const passed: Buffer[] = [];
  stream.on('data', (bytes) => passed.push(bytes));
  socket.push(Buffer.from('40020100' + 'd000' + '40020101' + '40020005', 'hex'));
  await turn();
  t.deepEqual(heard, ['256:0', '257:0', 'read']);
  t.is(Buffer.concat(passed).toString('hex'), 'd000' + '40020005');
  stream.destroy();
});

test('what the socket only lends reaches mqtt.js as it was, also when mqtt.js reads it later', async (t) => {
  const { socket, stream } = setUp();
  const lent = Buffer.from('d000' + '4002', 'hex');
  socket.emit('data', lent);
  lent.fill(0xff);
  socket.emit('data', Buffer.from('0005', 'hex'));
  const passed: Buffer[] = [];
  stream.on('data', (bytes) => passed.push(bytes));
  await turn();
  t.is(Buffer.concat(passed).toString('hex'), 'd000' + '40020005');
  stream.destroy();
});

test('a stream that rests reads nothing until it goes on, whatever mqtt.js wants; then all of it at once', async (t) => {
  const heard: string[] = [];
  const { socket, stream } = setUp({ onAck: (id) => heard.push(`${id}`), onAcksRead: () => heard.push('read') });
  stream.on('data', (bytes: Buffer) => heard.push(bytes.toString('hex')));
  await turn();
  stream.rest();
  socket.push(Buffer.from('40020100', 'hex'));
  stream.read(0);
  await turn();
  t.true(socket.isPaused());
  socket.push(Buffer.from('40020101' + 'd000', 'hex'));
  await turn();
  t.deepEqual(heard, []);
  stream.goOn();
  await turn();
  t.deepEqual(heard.sort(), ['256', '257', 'd000', 'read', 'read']);
  stream.destroy();
});

test('the end of a rest does not press bytes on an mqtt.js that takes no more', async (t) => {
  const { socket, stream } = setUp();
  socket.push(Buffer.concat([Buffer.of(0x30, 0x80, 0x80, 0x08), Buffer.alloc(128 * 1024)]));
  await turn();
  t.true(socket.isPaused());
  stream.rest();
  stream.goOn();
  t.true(socket.isPaused());
  stream.resume();
  await turn();
  t.false(socket.isPaused());
  stream.destroy();
});

test('an error of the socket closes the stream once, with that error', async (t) => {
  const { socket, stream } = setUp();
  const events: string[] = [];
  stream.on('error', (error) => events.push(error.message));
  const closed = new Promise<void>((resolve) => {
    stream.on('close', () => {
      events.push('close');
      resolve();
    });
  });
  socket.destroy(new Error('ECONNRESET'));
  await closed;
  await turn();
  t.deepEqual(events, ['ECONNRESET', 'close']);
});

test('bytes that came before the peer closed are read before the stream closes', async (t) => {
  const { socket, stream } = setUp();
  const events: string[] = [];
  const closed = new Promise<void>((resolve) => stream.on('close', resolve));
  stream.on('data', (bytes: Buffer) => events.push(bytes.toString('hex')));
  stream.on('close', () => events.push('close'));
  socket.push(Buffer.of(0xe0, 0));
  socket.push(null);
  socket.destroy();
  await closed;
  t.is(events.at(-1), 'close');
});

test('destroying the stream destroys the socket and leaves one listener on it, for late errors', (t) => {
  const { socket, stream } = setUp();
  stream.destroy();
  t.true(socket.destroyed);
  t.is(socket.listenerCount('data') + socket.listenerCount('drain') + socket.listenerCount('close'), 0);
  t.is(socket.listenerCount('error'), 1);
});

test('a socket that is gone before the stream is made closes it, as one that goes later', async (t) => {
  const socket = new FakeSocket();
  socket.destroy();
  await turn();
  const stream = new SessionStream(socket, { onAck: () => {}, onAcksRead: () => {}, onDrain: () => {} });
  t.is(stream.buffered, Number.POSITIVE_INFINITY, 'nothing more is packed for it');
  let isClosed = false;
  stream.on('close', () => {
    isClosed = true;
  });
  for (let n = 0; n < 4; n += 1) await turn();
  t.true(isClosed);
});
