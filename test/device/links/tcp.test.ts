import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import test from 'ava';
import type { TcpLinkConfig } from '../../../src/config/link-schema.js';
import { systemClock } from '../../../src/core/clock.js';
import type { Loan } from '../../../src/core/loan.js';
import { ChunkPool } from '../../../src/device/links/chunk-pool.js';
import { isOwnEnd, socketLink } from '../../../src/device/links/tcp-socket.js';
import { makeOpener } from '../../../src/device/make-opener.js';
import { linkContract, openWatched, watch } from '../../contracts/link.js';
import { eventually } from '../../support/eventually.js';
import { FakeClock } from '../../support/fake-clock.js';
import { slowName } from '../../support/slow-name.js';

/** A device that listens on loopback and keeps what each connection sent. */
class Device {
  readonly server: Server;
  readonly sockets: Socket[] = [];
  readonly #received: Buffer[] = [];

  constructor() {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.push(socket);
      socket.on('error', () => {});
      socket.on('end', () => socket.end());
      socket.on('data', (chunk) => this.#received.push(chunk));
    });
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port; // a TCP server has no string address
  }

  /** The newest connection. */
  async peer(): Promise<Socket> {
    await eventually(() => this.sockets.length > 0, 'a connection');
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error('no connection');
    return socket;
  }

  received(): Buffer {
    return Buffer.concat(this.#received);
  }

  async send(bytes: Buffer): Promise<void> {
    const socket = await this.peer();
    await new Promise((resolve) => socket.write(bytes, resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }
}

async function device(): Promise<Device> {
  const made = new Device();
  await made.listen();
  return made;
}

function config(port: number, more: Partial<TcpLinkConfig> = {}): TcpLinkConfig {
  return { type: 'tcp', host: '127.0.0.1', port, connect_timeout: 5000, idle_timeout: 0, ...more };
}

const forever = new AbortController().signal;
const deps = { clock: systemClock };

linkContract('tcp', async () => {
  const far = await device();
  const inner = makeOpener(config(far.port), deps);
  let opens = 0;
  const opener = {
    name: inner.name,
    open: async (signal: AbortSignal) => {
      const link = await inner.open(signal);
      opens++;
      return link;
    },
  };
  return {
    opener,
    send: async (bytes) => {
      await eventually(() => far.sockets.length === opens, 'the newest connection');
      await far.send(bytes);
    },
    received: () => far.received(),
    unplug: async () => (await far.peer()).end(),
    close: () => far.close(),
  };
});

test('a refused connection says that nobody listens there', async (t) => {
  const far = await device();
  const { port } = far;
  await far.close();
  const error = await t.throwsAsync(makeOpener(config(port), deps).open(forever));
  t.like(error, { trouble: 'refused', code: 'link-refused' });
  t.true(error?.message.startsWith(`nobody listens on 127.0.0.1:${port}`), error?.message);
});

test('an unknown name is unreachable, and the message names it', async (t) => {
  const error = await t.throwsAsync(makeOpener(config(1, { host: 'no-such-host.invalid' }), deps).open(forever));
  t.like(error, { trouble: 'unreachable' });
  t.true(error?.message.includes('no-such-host.invalid:1'), error?.message);
});

test('a peer that does not answer is a timeout after connect_timeout', async (t) => {
  const clock = new FakeClock();
  // 192.0.2.0/24 is for documentation (RFC 5737): nobody answers there, and some systems say so at once.
  const opening = makeOpener(config(9, { host: '192.0.2.1', connect_timeout: 3000 }), { clock }).open(forever);
  const settled = t.throwsAsync(opening);
  await clock.advance(3000);
  const error = await settled;
  t.like(error, { name: 'LinkError' });
  t.true(
    ['timeout', 'unreachable', 'refused'].includes((error as unknown as { trouble: string }).trouble),
    error?.message,
  );
  t.is(clock.pending, 0);
});

test('an abort while connecting gives up at once', async (t) => {
  const stop = new AbortController();
  const opening = makeOpener(config(9, { host: '192.0.2.1' }), deps).open(stop.signal);
  stop.abort();
  t.like(await t.throwsAsync(opening), { trouble: 'closed' });
});

test('a reset is told as reset, after all that had arrived', async (t) => {
  const far = await device();
  const { losses, bytes } = await openWatched(makeOpener(config(far.port), deps));
  await far.send(Buffer.from('last words'));
  await eventually(() => bytes().length === 10, 'the last words');
  (await far.peer()).resetAndDestroy();
  await eventually(() => losses.length > 0, 'the loss');
  t.is(losses[0]?.trouble, 'reset');
  t.true(losses[0]?.detail.includes(`127.0.0.1:${far.port}`));
  await far.close();
});

test('all data of a peer that sends and closes comes before the loss, even when paused at first', async (t) => {
  const far = await device();
  const { link, losses, bytes } = await openWatched(makeOpener(config(far.port), deps));
  link.pause();
  const sent = Buffer.alloc(300_000, 'x');
  (await far.peer()).end(sent);
  await new Promise((resolve) => setImmediate(resolve));
  t.is(losses.length, 0);
  link.resume();
  await eventually(() => losses.length > 0, 'the loss');
  t.is(bytes().length, sent.length);
  t.is(losses[0]?.trouble, 'hang-up');
  await far.close();
});

test('bytes that had been read when a paused link is reset come before the loss', async (t) => {
  const far = await device();
  const socket = connect(far.port, '127.0.0.1');
  await once(socket, 'connect');
  const { link, losses, bytes } = watch(socketLink(socket, { name: 'tcp x', clock: systemClock, idleTimeoutMs: 0 }));
  await far.send(Buffer.from('first'));
  await eventually(() => bytes().length === 5, 'the first bytes');
  link.pause();
  await far.send(Buffer.from(' second'));
  await eventually(() => socket.readableLength > 0, 'the bytes to be held back by Node');
  (await far.peer()).resetAndDestroy();
  await eventually(() => losses.length > 0, 'the loss');
  t.is(losses[0]?.trouble, 'reset');
  t.is(bytes().toString(), 'first second');
  await link.close();
  await far.close();
});

test('whatever is read at once, and whenever it is given back, the bytes are the ones that were sent', async (t) => {
  const far = await device();
  const chunks = new ChunkPool((memory) => memory.fill('#'));
  const socket = await makeOpener(config(far.port), { ...deps, chunks }).open(forever);
  const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => 97 + (i % 23)));
  const read: Buffer[] = [];
  let [length, lent] = [0, 0];
  const waiting: { readonly chunk: Buffer; readonly loan: Loan | undefined }[] = [];
  const finish = (count: number): void => {
    for (const { chunk, loan } of waiting.splice(0, count)) {
      read.push(Buffer.from(chunk));
      loan?.done();
    }
  };
  socket.attach({
    onChunk(chunk, loan) {
      length += chunk.length;
      lent += loan === undefined ? 0 : 1;
      waiting.push({ chunk, loan });
      finish(waiting.length > 5 ? 4 : 0);
      if (lent % 7 !== 0) return;
      socket.pause();
      setImmediate(() => socket.resume());
    },
    onLost() {},
  });
  for (let at = 0; at < sent.length; at += 700_000) await far.send(sent.subarray(at, at + 700_000));
  await eventually(() => length === sent.length, 'all of it');
  finish(waiting.length);
  t.true(Buffer.concat(read).equals(sent));
  t.true(lent > 0 && chunks.free > 0, `${lent} on loan, ${chunks.free} free again`);
  await socket.close();
  await far.close();
});

test('a paused link stops reading, so that the sender has to wait', async (t) => {
  const far = await device();
  const { link, bytes } = await openWatched(makeOpener(config(far.port), deps));
  link.pause();
  const peer = await far.peer();
  const block = Buffer.alloc(1024 * 1024);
  let isAllTaken = false;
  for (let sent = 0; sent < 32; sent++) peer.write(block, () => (isAllTaken = sent === 31));
  await eventually(() => peer.writableLength > 0 && peer.bytesWritten > 0, 'the sender to have to wait');
  // Loopback buffers grow to some megabytes; 32 MiB fit nowhere.
  const before = bytes().length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.is(bytes().length, before);
  t.false(isAllTaken);
  link.resume();
  await eventually(() => bytes().length === 32 * block.length, 'everything after resume');
  await link.close();
  await far.close();
});

test('a write that the peer does not take is lost when the link goes, and does not hang', async (t) => {
  const far = await device();
  const { link } = await openWatched(makeOpener(config(far.port), deps));
  const peer = await far.peer();
  peer.pause();
  const write = link.write(Buffer.alloc(64 * 1024 * 1024));
  const closed = link.close();
  t.is(await write, 'lost');
  await closed;
  await far.close();
});

test('a connection that receives nothing is lost as idle, however much is written to it', async (t) => {
  const clock = new FakeClock();
  const far = await device();
  const { link, losses } = await openWatched(makeOpener(config(far.port, { idle_timeout: 1000 }), { clock }));
  await clock.advance(999);
  t.is(await link.write(Buffer.from('poll')), 'written');
  await clock.advance(1);
  t.is(losses[0]?.trouble, 'idle');
  await link.close();
  t.is(clock.pending, 0);
  await far.close();
});

test('the end of intake is not over while its taker makes a pause: what came before is taken', async (t) => {
  const far = await device();
  const link = await makeOpener(config(far.port), deps).open(forever);
  let taken = 0;
  let sincePause = 0;
  link.attach({
    onChunk(chunk, loan) {
      taken += chunk.length;
      sincePause += chunk.length;
      loan?.done();
      if (sincePause < 128 * 1024) return;
      sincePause = 0;
      link.pause();
      setTimeout(() => link.resume(), 60); // as for a broker that is slow; longer than a line that is quiet
    },
    onLost: () => {},
  });
  link.pause();
  await far.send(Buffer.alloc(512 * 1024));
  await link.finishIntake(15_000);
  t.is(taken, 512 * 1024);
  await link.close();
  await far.close();
});

test('last words written before a close reach the peer although it was still sending', async (t) => {
  const far = await device();
  const { link } = await openWatched(makeOpener(config(far.port), deps));
  await link.finishIntake(100);
  await far.send(Buffer.alloc(50_000));
  t.is(await link.write(Buffer.from('fail-safe')), 'written');
  await link.close();
  await eventually(() => far.received().length === 9, 'the last words');
  t.is(far.received().toString(), 'fail-safe');
  await far.close();
});

test('a peer that ignores our end of file does not hold up close', async (t) => {
  const far = await device();
  const { link } = await openWatched(makeOpener(config(far.port), deps));
  const peer = await far.peer();
  peer.removeAllListeners('end');
  const began = performance.now();
  await link.close();
  t.true(performance.now() - began < 15_000);
  await far.close();
});

test('an accepted socket is a link too', async (t) => {
  const server = createServer();
  const accepted = once(server, 'connection').then(([socket]: Socket[]) => {
    if (!socket) throw new Error('no socket');
    return watch(socketLink(socket, { name: 'tcp peer', clock: systemClock, idleTimeoutMs: 0 }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = await openWatched(makeOpener(config((server.address() as AddressInfo).port), deps));
  const { link, bytes, losses } = await accepted;
  t.is(await client.link.write(Buffer.from('hello')), 'written');
  await eventually(() => bytes().length === 5, 'hello');
  await client.link.close();
  await eventually(() => losses.length === 1, 'the loss');
  t.is(losses[0]?.detail, 'tcp peer: the peer closed the connection');
  await link.close();
  server.close();
});

test('a socket that has come out at the port that it went to is known', async (t) => {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo; // a TCP server has no string address
  const other = connect(port, '127.0.0.1');
  await once(other, 'connect');
  t.false(isOwnEnd(other));
  other.destroy();
  free.close();
  await once(free, 'close');
  const own = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.1', localPort: port });
  await once(own, 'connect');
  t.true(isOwnEnd(own));
  own.destroy();
});

test.serial('the first address of a name with several has its time, also where a connect takes a second', async (t) => {
  const { port } = await slowName(t);
  const config: TcpLinkConfig = { type: 'tcp', host: 'device.test', port, connect_timeout: 10_000, idle_timeout: 0 };
  const link = await makeOpener(config, { clock: systemClock }).open(new AbortController().signal);
  t.is(link.name, `tcp device.test:${port}`);
  await link.close();
});
