// The name of a connection from the first thing that its device says: the login of a tracker, `ID:4711` of a logger. What was read
// to find it goes back into the socket, so that the device's own decoder begins where the device did.
//
//   accepted -> read until one frame is whole -> pattern -> name          the bytes are put back
//                 '-> gone, late, or too much without a frame -> no name

import type { Socket } from 'node:net';
import { deviceNameTrouble } from '../config/device-name.js';
import type { FramingConfig } from '../config/framing-schema.js';
import type { Clock, Timer } from '../core/clock.js';
import type { Framer } from '../device/framer.js';
import { makeFramer } from '../device/make-framer.js';

/** Bytes without a whole frame after which a device is no device of ours. */
const MAX_BYTES = 64 * 1024;
/** Of a frame, what the pattern is tried on. */
const MAX_SEARCHED = 1024;
const MAX_SHOWN = 40;
const MAX_NAME = 64;

/** A name, fit for one segment of a topic, or why there is none, as the end of a sentence. */
export type Naming = { readonly ok: true; readonly name: string } | { readonly ok: false; readonly why: string };

export interface FirstFrameOptions {
  readonly framing: FramingConfig;
  /** The name is group 1, or all that matches where it has no group. */
  readonly pattern: RegExp;
  /** Longest wait for the frame, ms. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Reads from an accepted, paused socket until the first frame; leaves it paused, with everything read put back. Never rejects. */
export function nameByFirstFrame(socket: Socket, options: FirstFrameOptions): Promise<Naming> {
  return new Promise((resolve) => {
    new FirstFrame(socket, options, resolve).read();
  });
}

/** The name in a frame. */
export function nameIn(frame: Buffer, pattern: RegExp): Naming {
  const text = frame.toString('utf8', 0, MAX_SEARCHED);
  const match = pattern.exec(text);
  if (match === null) return { ok: false, why: `its first frame ${shown(text)} does not match ${pattern.source}` };
  const name = (match[1] ?? match[0]).trim().replaceAll(/[+#/\s]+/g, '_');
  const trouble = name.length > MAX_NAME ? `is longer than ${MAX_NAME} characters` : deviceNameTrouble(name);
  return trouble === undefined ? { ok: true, name } : { ok: false, why: `the name ${shown(name)} ${trouble}` };
}

class FirstFrame {
  readonly #socket: Socket;
  readonly #options: FirstFrameOptions;
  readonly #resolve: (naming: Naming) => void;
  readonly #framer: Framer;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #frame: Buffer | undefined;
  #deadline: Timer | undefined;
  #gap: Timer | undefined;

  constructor(socket: Socket, options: FirstFrameOptions, resolve: (naming: Naming) => void) {
    this.#socket = socket;
    this.#options = options;
    this.#resolve = resolve;
    this.#framer = makeFramer(options.framing);
  }

  read(): void {
    const { clock, timeoutMs } = this.#options;
    const socket = this.#socket;
    socket.on('data', this.#onData).on('end', this.#onGone).on('close', this.#onGone);
    socket.on('error', ignore); // stays: the connection may break before it has an owner; `close` tells
    this.#deadline = clock.after(timeoutMs, () => this.#fail(`it said no whole frame in ${timeoutMs / 1000} s`));
    socket.resume();
  }

  readonly #onGone = (): void => this.#fail('it was gone before it had said a whole frame');

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#framer.push(chunk, this.#sink);
    if (this.#frame === undefined) this.#watchGap();
    this.#judge();
  };

  /** Bytes that are no frame are the decoder's to report: it reads them again. */
  readonly #sink = {
    frame: (bytes: Buffer, start: number, end: number): void => {
      this.#frame ??= bytes.subarray(start, end);
    },
    junk: (): void => {},
  };

  #judge(): void {
    if (this.#frame !== undefined) this.#end(nameIn(this.#frame, this.#options.pattern));
    else if (this.#bytes > MAX_BYTES) this.#fail(`it said ${this.#bytes} bytes without a whole frame`);
  }

  /** Where silence ends a frame. */
  #watchGap(): void {
    const { gapMs } = this.#framer;
    if (gapMs === undefined) return;
    this.#gap?.cancel();
    this.#gap = this.#options.clock.after(gapMs, () => {
      this.#framer.flush('gap', this.#sink);
      this.#judge();
    });
  }

  #fail(why: string): void {
    this.#end({ ok: false, why });
  }

  #end(naming: Naming): void {
    const socket = this.#socket;
    socket.off('data', this.#onData).off('end', this.#onGone).off('close', this.#onGone);
    this.#deadline?.cancel();
    this.#gap?.cancel();
    socket.pause();
    if (naming.ok) socket.unshift(Buffer.concat(this.#chunks));
    this.#resolve(naming);
  }
}

function ignore(): void {}

function shown(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text);
}
