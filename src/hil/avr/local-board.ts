// An AvrBoard whose chip runs in a Worker of this process. Registers, EEPROM and figures are read from shared memory; bytes, edges
// and questions to I2C devices come as messages.

import type { Clock } from '../../core/clock.js';
import type { VirtualLine } from '../virtual-line.js';
import { ANALOG_CHANNELS, CYCLES_PER_MS, REGISTER_BYTES, type ResetCause } from './atmega328p.js';
import {
  type AvrBoard,
  AvrBoardError,
  type AvrStats,
  type Level,
  type PinMode,
  type PortName,
  type SerialDirection,
} from './avr-board.js';
import { type Edge, type FromBoard, SharedBoard } from './board-protocol.js';
import { BoardThread } from './board-thread.js';
import { BoardWaits } from './board-waits.js';
import { levelOf, modeOf, placeOf, portRegister } from './pins.js';
import { dutyOf } from './pwm.js';
import type { TwiDevice } from './twi-device.js';
import { TwiDevices } from './twi-devices.js';

/** A start takes some 50 ms; a thread that has not answered for so long never will. */
const START_MS = 10_000;

const NO_POWER = new Uint8Array(REGISTER_BYTES);

type EdgeListener = (level: Level, atMs: number) => void;
type SerialListener = (direction: SerialDirection, bytes: Uint8Array) => void;

export interface LocalBoardOptions {
  readonly line: VirtualLine;
  /** 32 KiB. */
  readonly flash: Uint8Array;
  readonly clock: Clock;
  readonly speed: number;
}

export class LocalBoard implements AvrBoard {
  readonly link: string;
  readonly #line: VirtualLine;
  readonly #shared = new SharedBoard();
  readonly #thread: BoardThread;
  readonly #waits: BoardWaits;
  readonly #twi = new TwiDevices();
  readonly #edgeListeners = new Map<number, Set<EdgeListener>>();
  readonly #serialListeners = new Set<SerialListener>();
  #power: 'on' | 'off' = 'off';
  /** How often the plug was put in again. */
  #powerOns = 0;
  #startId = 0;
  #startedId = 0;
  #closed: Promise<void> | undefined;

  constructor({ line, flash, clock, speed }: LocalBoardOptions) {
    this.link = line.link;
    this.#line = line;
    this.#waits = new BoardWaits(clock);
    this.#thread = new BoardThread({
      setup: { memory: this.#shared.memory, flash, speed },
      onMessage: (message) => this.#take(message),
      onFailure: (error) => this.#waits.end(error),
    });
    line.onData((chunk) => this.#receive(chunk));
  }

  /** For `startAvrBoard`: power comes on with the line as it is. */
  async begin(): Promise<void> {
    this.#power = 'on';
    await this.#start('power-on');
  }

  get power(): 'on' | 'off' {
    return this.#power;
  }

  get eeprom(): Uint8Array {
    return this.#shared.eeprom;
  }

  get stats(): AvrStats {
    const figure = (name: Parameters<SharedBoard['figure']>[0]): number => this.#shared.figure(name);
    return {
      cycles: figure('cycles'),
      realTimeFactor: figure('simulatedMs') / Math.max(1, figure('poweredMs')),
      simulatedMs: figure('simulatedMs'),
      busyMs: figure('busyMs'),
      skipped: figure('skippedCycles') / Math.max(1, figure('simulatedMs') * CYCLES_PER_MS),
      lostMs: figure('lostMs'),
      rxDropped: figure('rxDropped'),
    };
  }

  digital(pin: number): Level {
    return levelOf(this.#registers, pin);
  }

  mode(pin: number): PinMode {
    return modeOf(this.#registers, pin);
  }

  pwm(pin: number): number {
    return dutyOf(this.#registers, pin);
  }

  port(name: PortName): number {
    return portRegister(this.#registers, name);
  }

  setDigital(pin: number, level: Level | 'open'): void {
    placeOf(pin);
    this.#thread.post({ kind: 'digital', pin, level });
  }

  setAnalog(channel: number, volts: number): void {
    if (!Number.isInteger(channel) || channel < 0 || channel >= ANALOG_CHANNELS || !(volts >= 0 && volts <= 5)) {
      throw new AvrBoardError('avr-bad-analog', `A0 to A7 take 0 to 5 V, not A${channel} = ${volts} V`);
    }
    this.#thread.post({ kind: 'analog', channel, volts });
  }

  onDigital(pin: number, listener: EdgeListener): () => void {
    placeOf(pin);
    const listeners = this.#edgeListeners.get(pin) ?? new Set();
    this.#edgeListeners.set(pin, listeners);
    const own: EdgeListener = (level, atMs) => listener(level, atMs); // the same function may be given twice
    listeners.add(own);
    this.#watch();
    return () => {
      listeners.delete(own);
      this.#watch();
    };
  }

  onSerial(listener: SerialListener): () => void {
    const own: SerialListener = (direction, bytes) => listener(direction, bytes);
    this.#serialListeners.add(own);
    return () => void this.#serialListeners.delete(own);
  }

  until(condition: () => boolean, timeoutMs: number, what = 'the condition'): Promise<void> {
    return this.#waits.until(condition, timeoutMs, what);
  }

  async untilDigital(pin: number, level: Level, timeoutMs: number): Promise<void> {
    let wasThere = false;
    const unsubscribe = this.onDigital(pin, (now) => {
      wasThere ||= now === level;
      this.#waits.look();
    });
    const isThere = (): boolean => wasThere || this.digital(pin) === level;
    await this.until(isThere, timeoutMs, `pin ${pin} to be ${level}`).finally(unsubscribe);
  }

  attachTwi(address: number, device: TwiDevice): () => void {
    this.#twi.add(address, device);
    this.#thread.post({ kind: 'twi-addresses', addresses: this.#twi.addresses });
    return () => {
      this.#twi.remove(address, device);
      this.#thread.post({ kind: 'twi-addresses', addresses: this.#twi.addresses });
    };
  }

  async reset(): Promise<void> {
    if (this.#power === 'on') await this.#start('external');
  }

  async powerOff(): Promise<void> {
    if (this.#power === 'off') return;
    this.#power = 'off';
    this.#thread.post({ kind: 'power-off' });
    await this.#line.unplug();
  }

  async powerOn(): Promise<void> {
    if (this.#power === 'on' || this.#closed) return;
    this.#power = 'on';
    this.#powerOns += 1;
    const own = this.#powerOns;
    try {
      await this.#line.plug();
    } catch (error) {
      if (this.#powerOns === own) this.#power = 'off'; // else the plug was moved again meanwhile
      throw error;
    }
    if (this.power === 'off') return; // pulled again, or closed, while the plug went in
    await this.#start('power-on');
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    this.#power = 'off';
    this.#waits.end(new AvrBoardError('avr-closed', 'the board was closed'));
    this.#line.onData(() => {});
    this.#edgeListeners.clear();
    this.#serialListeners.clear();
    await Promise.all([this.#thread.end(), this.#line.close()]);
  }

  /** Without power all 0 at once, not only when the thread has heard of it. */
  get #registers(): Uint8Array {
    return this.#power === 'on' ? this.#shared.registers : NO_POWER;
  }

  #start(cause: ResetCause): Promise<void> {
    this.#startId += 1;
    const id = this.#startId;
    this.#thread.post({ kind: 'start', id, cause });
    return this.until(() => this.#startedId >= id, START_MS, 'the firmware to start');
  }

  #receive(bytes: Uint8Array): void {
    if (this.#power === 'off') return;
    this.#thread.post({ kind: 'serial', bytes });
    for (const listener of this.#serialListeners) listener('received', bytes);
  }

  #watch(): void {
    let pins = 0;
    for (const [pin, listeners] of this.#edgeListeners) if (listeners.size > 0) pins |= 1 << pin;
    this.#thread.post({ kind: 'watch', pins });
  }

  #take(message: FromBoard): void {
    switch (message.kind) {
      case 'started':
        this.#startedId = message.id;
        this.#waits.look();
        break;
      case 'output':
        if (message.sent) this.#send(message.sent);
        this.#tell(message.edges);
        break;
      case 'twi':
        this.#answerTwi(message);
        break;
      case 'twi-stop':
        this.#twi.stop(message.address);
        break;
    }
  }

  /** What was on its way when the power went is not sent. */
  #send(bytes: Uint8Array): void {
    if (this.#power === 'off') return;
    this.#line.send(bytes);
    for (const listener of this.#serialListeners) listener('sent', bytes);
  }

  #tell(edges: readonly Edge[]): void {
    for (const { pin, level, atMs } of edges) {
      for (const listener of this.#edgeListeners.get(pin) ?? []) listener(level, atMs);
    }
  }

  #answerTwi({ id, act, address, byte }: Extract<FromBoard, { kind: 'twi' }>): void {
    this.#thread.post({ kind: 'twi-answer', id, value: this.#twi.answer(act, address, byte) });
  }
}
