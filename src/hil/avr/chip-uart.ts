// The UART of the chip, with what waits in front of its receiver. Bytes arrive at the speed that the firmware has set: the next
// one begins when the one before is in. A byte is taken off the queue only by a receiver that is switched on.

import { AVRUSART, type CPU, usart0Config } from 'avr8js';

/** What may wait in front of the receiver: 11 s at 57600 baud. */
const MAX_WAITING = 64 * 1024;
/** Bit RXC0 of UCSR0A: a byte is in that the firmware has not taken yet. */
const RECEIVE_COMPLETE = 0x80;

export class ChipUart {
  droppedBytes = 0;
  readonly #cpu: CPU;
  readonly #usart: AVRUSART;
  /** A ring: `#waiting` bytes from `#next` on wait. */
  readonly #ring = new Uint8Array(MAX_WAITING);
  #next = 0;
  #waiting = 0;
  #sent: number[] = [];

  constructor(cpu: CPU, clockHz: number) {
    this.#cpu = cpu;
    this.#usart = new AVRUSART(cpu, usart0Config, clockHz);
    this.#usart.onByteTransmit = (byte) => void this.#sent.push(byte);
    this.#followReader();
  }

  /** Bytes that wait for the receiver. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Puts bytes behind those that wait. What is beyond 64 KiB is dropped and counted. */
  receive(bytes: Uint8Array): void {
    const taken = Math.min(bytes.length, MAX_WAITING - this.#waiting);
    const end = (this.#next + this.#waiting) % MAX_WAITING;
    const untilWrap = Math.min(taken, MAX_WAITING - end);
    this.#ring.set(bytes.subarray(0, untilWrap), end);
    this.#ring.set(bytes.subarray(untilWrap, taken));
    this.#waiting += taken;
    this.droppedBytes += bytes.length - taken;
  }

  /** Hands the next byte to the receiver if it is free. To be called now and then: nothing tells when the receiver is switched on. */
  feed(): void {
    if (this.#waiting === 0 || this.#usart.rxBusy || !this.#usart.rxEnable) return;
    if (((this.#cpu.data[usart0Config.UCSRA] ?? 0) & RECEIVE_COMPLETE) !== 0) return;
    this.#usart.writeByte(this.#ring[this.#next] ?? 0);
    this.#next = (this.#next + 1) % MAX_WAITING;
    this.#waiting -= 1;
  }

  /** What was sent since the last call. */
  takeSent(): Uint8Array | undefined {
    if (this.#sent.length === 0) return undefined;
    const bytes = Uint8Array.from(this.#sent);
    this.#sent = [];
    return bytes;
  }

  /** The firmware has read a byte: the receiver is free for the next one. Hence none is ever overrun. */
  #followReader(): void {
    const read = this.#cpu.readHooks[usart0Config.UDR];
    this.#cpu.readHooks[usart0Config.UDR] = (address) => {
      const byte = read?.(address) ?? 0;
      this.feed();
      return byte;
    };
  }
}
