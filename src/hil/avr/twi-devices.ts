// The I2C devices of a board, on the main thread: answers what the chip asks them.

import { AvrBoardError } from './avr-board.js';
import type { TwiAct } from './board-protocol.js';
import type { TwiDevice } from './twi-device.js';

/** 0x00..0x07 and 0x78..0x7F are reserved (I2C-bus specification UM10204, table 4). */
const FIRST_ADDRESS = 0x08;
const LAST_ADDRESS = 0x77;

export class TwiDevices {
  readonly #devices = new Map<number, TwiDevice>();

  get addresses(): readonly number[] {
    return [...this.#devices.keys()];
  }

  /** Throws for an address that no device can have. */
  add(address: number, device: TwiDevice): void {
    if (!Number.isInteger(address) || address < FIRST_ADDRESS || address > LAST_ADDRESS) {
      throw new AvrBoardError('avr-bad-address', `an I2C address is 0x08 to 0x77 (7 bits), not ${address}`);
    }
    this.#devices.set(address, device);
  }

  /** Takes off `device`, unless another one has its place by now. */
  remove(address: number, device: TwiDevice): void {
    if (this.#devices.get(address) === device) this.#devices.delete(address);
  }

  /** 1 = ack, 0 = nack, or the byte read. A device that was taken off in mid-transfer is an idle bus. */
  answer(act: TwiAct, address: number, byte: number): number {
    const device = this.#devices.get(address);
    switch (act) {
      case 'start-write':
        return ackOf(device ? (device.start?.('write') ?? 'ack') : 'nack');
      case 'start-read':
        return ackOf(device ? (device.start?.('read') ?? 'ack') : 'nack');
      case 'write':
        return ackOf(device?.write(byte) ?? 'nack');
      case 'read':
        return (device?.read() ?? 0xff) & 0xff;
    }
  }

  stop(address: number): void {
    this.#devices.get(address)?.stop?.();
  }
}

function ackOf(answer: 'ack' | 'nack'): number {
  return answer === 'ack' ? 1 : 0;
}
