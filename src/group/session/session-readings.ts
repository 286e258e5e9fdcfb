// In the Worker: gathers the readings of a session. What is said in one turn travels together, and what is said while the main
// thread takes the last ones gathers behind them.

import { JsonBatch } from '../../device/batch.js';
import type { Reading } from '../../device/driver.js';
import { jsonOf } from '../../device/driver-answer.js';
import type { FromSession } from './session-protocol.js';

/** Readings that may wait, as JSON. A session that says more is ended: its memory is not endless. */
const MAX_WAITING_CHARS = 4 * 1024 * 1024;
/** Values that are no reading and are told about, per batch. */
const MAX_FAULTS = 20;

export class SessionReadings {
  readonly #post: (message: FromSession, transfer: readonly ArrayBuffer[]) => void;
  #texts: string[] = [];
  #chars = 0;
  #faults: string[] = [];
  #isOut = false;
  #isDue = false;

  constructor(post: (message: FromSession, transfer: readonly ArrayBuffer[]) => void) {
    this.#post = post;
  }

  /** Throws if the session says more than is taken. */
  add(reading: Reading): void {
    const json = jsonOf(reading);
    if ('fault' in json) {
      if (this.#faults.length < MAX_FAULTS) this.#faults.push(json.fault);
    } else {
      this.#chars += json.text.length;
      if (this.#chars > MAX_WAITING_CHARS) throw new Error('the session says more readings than the gateway can take');
      this.#texts.push(json.text);
    }
    this.#sendSoon();
  }

  /** The main thread has taken the last batch. */
  heard(): void {
    this.#isOut = false;
    this.#sendSoon();
  }

  /** Hands out what there is, whatever is under way: for the end. */
  flush(): void {
    this.#isOut = false;
    this.#send();
  }

  #sendSoon(): void {
    if (this.#isDue || this.#isOut) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#send();
    });
  }

  #send(): void {
    const faults = this.#faults;
    if (this.#isOut || (this.#texts.length === 0 && faults.length === 0)) return;
    this.#isOut = true;
    const batch = new JsonBatch(({ bytes, bounds }) => {
      const own = new Uint8Array(bytes);
      this.#post({ kind: 'readings', bytes: own.buffer, bounds: Uint32Array.from(bounds), faults }, [own.buffer]);
    });
    if (this.#texts.length === 0) {
      this.#post({ kind: 'readings', bytes: new ArrayBuffer(0), bounds: new Uint32Array(0), faults }, []);
    }
    for (const text of this.#texts) batch.add(text);
    this.#texts = [];
    this.#chars = 0;
    this.#faults = [];
    batch.handOut();
  }
}
