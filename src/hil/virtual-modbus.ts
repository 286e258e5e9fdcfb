// A Modbus device on any VirtualLine: answers polls from a table of registers, with CRC (RTU) or MBAP header (TCP), exceptions
// included. It never talks by itself.
//
//   RTU  | address | function, data | CRC lo hi |          TCP  | transaction | 0 0 | length | unit | function, data |
//
// RTU ends a request by silence; here its length is told by its function code, and silence only clears away what is no request.

import type { Clock, Timer } from '../core/clock.js';
import { Checksum } from '../device/checksum.js';
import { answerRequest, type ModbusRegisters, requestLength } from './modbus-registers.js';
import type { VirtualLine } from './virtual-line.js';

/** Much longer than the 3.5 characters of the standard, which no event loop keeps, ms. */
const SILENCE_MS = 20;
/** More than any request. */
const MAX_HELD = 512;
const MBAP_BYTES = 7;
const BROADCAST = 0;

export interface ModbusOptions {
  readonly line: VirtualLine;
  readonly clock: Clock;
  readonly coding: 'rtu' | 'tcp';
  /** Address of the device, 1 to 247; default 1. Requests to others are not answered. */
  readonly unit?: number;
  readonly registers: ModbusRegisters;
  /** How long the device takes to answer, ms; default 0. */
  readonly delayMs?: number;
}

export class VirtualModbus {
  readonly line: VirtualLine;
  readonly #options: ModbusOptions;
  readonly #crc = new Checksum({ type: 'crc16-modbus', endian: 'little' });
  readonly #timers = new Set<Timer>();
  #held: Buffer = Buffer.alloc(0);
  #silence: Timer | undefined;

  private constructor(options: ModbusOptions) {
    this.#options = options;
    this.line = options.line;
  }

  /** Switches the device on. */
  static start(options: ModbusOptions): VirtualModbus {
    const device = new VirtualModbus(options);
    options.line.onData((chunk) => device.#hear(chunk));
    return device;
  }

  /** Switches it off and closes its line. Idempotent. */
  async close(): Promise<void> {
    this.#silence?.cancel();
    for (const timer of this.#timers) timer.cancel();
    this.line.onData(() => {});
    await this.line.close();
  }

  #hear(chunk: Buffer): void {
    this.#silence?.cancel();
    this.#held = Buffer.concat([this.#held, chunk]);
    const next = this.#options.coding === 'rtu' ? () => this.#nextRtu() : () => this.#nextTcp();
    while (next());
    if (this.#held.length > MAX_HELD) this.#held = Buffer.alloc(0);
    this.#silence = this.#options.clock.after(SILENCE_MS, () => {
      this.#held = Buffer.alloc(0);
    });
  }

  /** Takes one request; false: there is no whole one. */
  #nextRtu(): boolean {
    const length = requestLength(this.#held, 1);
    if (length === undefined || this.#held.length < 1 + length + 2) return false;
    const frame = this.#held.subarray(0, 1 + length);
    if (!this.#crc.isGood(this.#held, 0, frame.length + 2)) {
      this.#held = Buffer.alloc(0); // where the next one begins is told by silence
      return false;
    }
    this.#held = this.#held.subarray(frame.length + 2);
    const answer = this.#answer(frame[0] ?? 0, frame.subarray(1));
    if (answer) this.#send(this.#crc.append(Buffer.concat([frame.subarray(0, 1), answer])));
    return true;
  }

  #nextTcp(): boolean {
    if (this.#held.length < MBAP_BYTES + 1) return false;
    const length = this.#held.readUInt16BE(4); // unit and what follows
    if (this.#held.readUInt16BE(2) !== 0 || length < 2 || length > 254) {
      this.#held = Buffer.alloc(0);
      return false;
    }
    if (this.#held.length < 6 + length) return false;
    const header = Buffer.from(this.#held.subarray(0, MBAP_BYTES));
    const answer = this.#answer(header[6] ?? 0, this.#held.subarray(MBAP_BYTES, 6 + length));
    this.#held = this.#held.subarray(6 + length);
    if (!answer) return true;
    header.writeUInt16BE(answer.length + 1, 4);
    this.#send(Buffer.concat([header, answer]));
    return true;
  }

  /** Undefined: nothing is said, because the request is for another, or for all. */
  #answer(unit: number, request: Buffer): Buffer | undefined {
    const { registers, unit: own = 1 } = this.#options;
    if (unit !== own && unit !== BROADCAST) return undefined;
    const answer = answerRequest(registers, request);
    return unit === BROADCAST ? undefined : answer;
  }

  #send(bytes: Buffer): void {
    const { clock, delayMs = 0 } = this.#options;
    if (delayMs === 0) {
      this.line.send(bytes);
      return;
    }
    const timer = clock.after(delayMs, () => {
      this.#timers.delete(timer);
      this.line.send(bytes);
    });
    this.#timers.add(timer);
  }
}
