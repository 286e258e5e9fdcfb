// The I2C (TWI) unit of the chip as the only master, and the way out to the devices on the bus. A device lives on another thread
// and answers later: until then `isWaiting`, and the chip stands still. Addresses without a device are refused at once.

import { AVRTWI, type CPU, twiConfig } from 'avr8js';
import type { TwiAct } from './board-protocol.js';

/** 8 bits and the acknowledge. */
const BITS_PER_BYTE = 9;
/** What an idle bus reads: the pull-ups hold it high. */
const IDLE_BYTE = 0xff;

/** The devices on the bus; outlives the chip. */
export interface TwiBus {
  hasDevice(address: number): boolean;
  /** Asks a device; `answer` may be called at any time later: 1 = ack, 0 = nack, or the byte read. */
  ask(act: TwiAct, address: number, byte: number, answer: (value: number) => void): void;
  stop(address: number): void;
}

export class ChipTwi {
  #isWaiting = false;
  readonly #cpu: CPU;
  readonly #clockHz: number;
  readonly #twi: AVRTWI;
  readonly #bus: TwiBus;
  /** Of the device that has acknowledged. */
  #address: number | undefined;

  constructor(cpu: CPU, clockHz: number, bus: TwiBus) {
    this.#cpu = cpu;
    this.#clockHz = clockHz;
    this.#bus = bus;
    this.#twi = new AVRTWI(cpu, twiConfig, clockHz);
    this.#twi.eventHandler = {
      start: () => this.#after(1, () => this.#twi.completeStart()),
      stop: () => this.#stop(),
      connectToSlave: (address, isWrite) => this.#connect(address, isWrite),
      writeByte: (byte) => this.#write(byte),
      readByte: () => this.#read(),
    };
  }

  /** A device has been asked and has not answered. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  #connect(address: number, isWrite: boolean): void {
    this.#address = undefined;
    if (!this.#bus.hasDevice(address)) {
      this.#after(BITS_PER_BYTE, () => this.#twi.completeConnect(false));
      return;
    }
    this.#ask(isWrite ? 'start-write' : 'start-read', address, 0, (value) => {
      if (value === 1) this.#address = address;
      this.#twi.completeConnect(value === 1);
    });
  }

  #write(byte: number): void {
    if (this.#address === undefined) this.#after(BITS_PER_BYTE, () => this.#twi.completeWrite(false));
    else this.#ask('write', this.#address, byte, (value) => this.#twi.completeWrite(value === 1));
  }

  #read(): void {
    if (this.#address === undefined) this.#after(BITS_PER_BYTE, () => this.#twi.completeRead(IDLE_BYTE));
    else this.#ask('read', this.#address, 0, (value) => this.#twi.completeRead(value & 0xff));
  }

  #stop(): void {
    if (this.#address !== undefined) this.#bus.stop(this.#address);
    this.#address = undefined;
    this.#after(1, () => this.#twi.completeStop());
  }

  /** The chip stands still until the answer, then the byte takes its time on the bus. */
  #ask(act: TwiAct, address: number, byte: number, done: (value: number) => void): void {
    this.#isWaiting = true;
    this.#bus.ask(act, address, byte, (value) => {
      this.#isWaiting = false;
      this.#after(BITS_PER_BYTE, () => done(value));
    });
  }

  #after(bits: number, done: () => void): void {
    this.#cpu.addClockEvent(done, Math.round((bits * this.#clockHz) / this.#twi.sclFrequency));
  }
}
