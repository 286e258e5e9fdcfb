// The Duplex that mqtt.js takes for its connection. It owns the real socket and lets two writers share it: what mqtt.js
// writes goes through, packet by whole packet; hand-packed PUBLISH packets go straight to the socket in between. Of what
// comes in, the acknowledgements of those packets are taken out, all else is passed on to mqtt.js.
//
//   mqtt.js --write--> [ held until a packet is whole ] --.
//   outbox  --writePackets-------------------------------> socket -> broker
//   mqtt.js <--read--- [ AckFilter ] <-------------------- socket <- broker
//   onAck   <---------------'

import { Duplex } from 'node:stream';
import { AckFilter } from './ack-filter.js';
import { wholePackets } from './packet-scan.js';

/** What the stream reports besides its own events `error` and `close`. */
export interface SessionStreamHooks {
  onAck(packetId: number, reasonCode: number): void;
  /** All acknowledgements of one chunk have been reported: the moment to pump. */
  onAcksRead(): void;
  /** The socket has taken everything written. */
  onDrain(): void;
}

type Done = (error?: Error | null) => void;

/**
 * Wraps a connected socket of `openBrokerSocket`; what that reads is only lent, and not kept here. Closing either closes the other,
 * once.
 */
export class SessionStream extends Duplex {
  readonly #socket: Duplex;
  readonly #hooks: SessionStreamHooks;
  readonly #filter: AckFilter;
  /** The beginning of a packet of mqtt.js whose rest it has not written yet. */
  #unfinished: Buffer | undefined;
  /** mqtt.js takes no more for now. */
  #isFull = false;
  #isResting = false;

  constructor(socket: Duplex, hooks: SessionStreamHooks) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#hooks = hooks;
    this.#filter = new AckFilter({
      pass: (bytes) => this.#pass(bytes),
      onAck: (packetId, reasonCode) => hooks.onAck(packetId, reasonCode),
      // mqtt.js would gather it whole in memory before it judged it.
      onOversized: (bytes) => this.destroy(new Error(`a packet of ${bytes} bytes, more than Ferrule takes`)),
    });
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    if (socket.destroyed) this.#onClose();
  }

  /** Bytes that the system has not taken yet. Infinity once the connection is lost. */
  get buffered(): number {
    return this.destroyed || this.#socket.destroyed ? Number.POSITIVE_INFINITY : this.#socket.writableLength;
  }

  /**
   * Writes whole packets straight to the socket. `done` is called once, when the bytes are written, or lost with an error; before this
   * returns if the system has taken them: Node calls back at the end of the turn only, and the next packets could not have the memory.
   */
  writePackets(packets: Buffer, done: Done): void {
    let isDone = false;
    const finish = (error?: Error | null): void => {
      if (!isDone) done(error);
      isDone = true;
    };
    this.#socket.write(packets, finish);
    const { writableLength, destroyed, errored } = this.#socket;
    if (writableLength === 0 && !destroyed && errored === null) finish();
  }

  /** Reads nothing until `goOn`. */
  rest(): void {
    this.#isResting = true;
    this.#socket.pause();
  }

  goOn(): void {
    this.#isResting = false;
    if (!this.#isFull) this.#socket.resume();
  }

  override _read(): void {
    this.#isFull = false;
    if (!this.#isResting) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#writeWhole(chunk, done);
  }

  // mqtt.js corks while it generates a packet, so that its pieces arrive here together.
  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#writeWhole(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: Done): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.off('drain', this.#onDrain);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    // The error listener stays: a socket may fail once more while it is being destroyed.
    socket.destroy();
    done(error);
  }

  /** The socket only lends what it reads. */
  #pass(lent: Buffer): void {
    if (this.destroyed || this.push(Buffer.from(lent))) return;
    this.#isFull = true;
    this.#socket.pause();
  }

  #writeWhole(written: Buffer, done: Done): void {
    const bytes = this.#unfinished === undefined ? written : Buffer.concat([this.#unfinished, written]);
    const end = wholePackets(bytes);
    this.#unfinished = end < bytes.length ? bytes.subarray(end) : undefined;
    if (end === 0) done();
    else this.#socket.write(bytes.subarray(0, end), done);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#filter.push(chunk) > 0) this.#hooks.onAcksRead();
  };

  /** Node tells of the drain before it calls back the writes, and only that frees their buffers: what is packed now would need others. */
  readonly #onDrain = (): void => queueMicrotask(() => this.#hooks.onDrain());

  readonly #onEnd = (): void => {
    this.push(null);
  };

  // Later than at once: mqtt.js may still have to read why the broker closed (DISCONNECT, CONNACK), a few ticks away.
  readonly #onError = (error: Error): void => {
    setImmediate(() => this.destroy(error));
  };

  readonly #onClose = (): void => {
    setImmediate(() => this.destroy());
  };
}
