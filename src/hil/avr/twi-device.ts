// A device on the board's I2C bus (Atmel: TWI), as the test holds it. It lives on the main thread, next to the test; while it
// thinks, the chip's clock stands still, so that the firmware sees it answer at once.

/** One device at one address. */
export interface TwiDevice {
  /** The master has addressed it, to write or to read; also at a repeated start. `nack`: as if nobody were there. */
  start?(direction: 'write' | 'read'): 'ack' | 'nack';
  /** Takes a byte. `nack` refuses it and what follows. */
  write(byte: number): 'ack' | 'nack';
  /** Gives the next byte, 0..255. */
  read(): number;
  /** The master has let go of the bus. */
  stop?(): void;
}
