// The checksum that the thermometers on the I2C bus send behind each value: CRC-8 with x^8 + x^5 + x^4 + 1, most significant bit first.

const POLYNOMIAL = 0x31;

/** `initial`: 0 for the HTU21D, 0xFF for the SHT3x. */
export function crc8(bytes: readonly number[], initial: number): number {
  let crc = initial;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ ((crc & 0x80) === 0 ? 0 : POLYNOMIAL)) & 0xff;
  }
  return crc;
}
