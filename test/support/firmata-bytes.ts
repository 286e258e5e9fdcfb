// Firmata as bytes (protocol 2.4), the little of it that the board's tests speak. The drivers have libraries for it.

export const REPORT_VERSION = [0xf9];
export const REPORT_FIRMWARE = [0xf0, 0x79, 0xf7];
/** What StandardFirmata answers to REPORT_VERSION. */
export const VERSION_REPORT = [0xf9, 2, 4];

/** All pins as they were at the start. */
export const SYSTEM_RESET = [0xff];

/** Modes of `pinMode`. Protocol 2.4 has no pull-up: an input that is written high has one. */
export const MODE = { input: 0, output: 1, analog: 2, pwm: 3, i2c: 6 } as const;

export function pinMode(pin: number, mode: number): number[] {
  return [0xf4, pin, mode];
}

/** Bit n of `levels` = pin 8 * port + n. */
export function digitalWrite(port: number, levels: number): number[] {
  return [0x90 | port, levels & 0x7f, levels >> 7];
}

export function analogWrite(pin: number, value: number): number[] {
  return [0xe0 | pin, value & 0x7f, value >> 7];
}

export function reportAnalog(channel: number, on: boolean): number[] {
  return [0xc0 | channel, on ? 1 : 0];
}

export function reportDigital(port: number, on: boolean): number[] {
  return [0xd0 | port, on ? 1 : 0];
}

/** Every how many ms analog values are reported. */
export function samplingInterval(ms: number): number[] {
  return [0xf0, 0x7a, ms & 0x7f, ms >> 7, 0xf7];
}

export function i2cConfig(): number[] {
  return [0xf0, 0x78, 0, 0, 0xf7];
}

export function i2cWrite(address: number, ...bytes: number[]): number[] {
  return [0xf0, 0x76, address, 0, ...bytes.flatMap(halves), 0xf7];
}

/** Reads `count` bytes of a register once. */
export function i2cRead(address: number, register: number, count: number): number[] {
  return [0xf0, 0x76, address, 0x08, ...halves(register), ...halves(count), 0xf7];
}

/** Reads `count` bytes from where the device stands. */
export function i2cReadOn(address: number, count: number): number[] {
  return [0xf0, 0x76, address, 0x08, ...halves(count), 0xf7];
}

/** The data bytes of the answer to `i2cRead`: start, 0x77, address, register, data, end; all but the ends in halves. */
export function i2cData(reply: readonly number[]): number[] {
  const data: number[] = [];
  for (let at = 6; at + 2 < reply.length; at += 2) data.push((reply[at] ?? 0) | ((reply[at + 1] ?? 0) << 7));
  return data;
}

/** Text of a string that comes in halves of 7 bits. */
export function textOf(pairs: readonly number[]): string {
  let text = '';
  for (let at = 0; at + 1 < pairs.length; at += 2)
    text += String.fromCharCode((pairs[at] ?? 0) | ((pairs[at + 1] ?? 0) << 7));
  return text;
}

/** The last value that an analog report for that channel gave, or undefined. */
export function lastAnalog(bytes: readonly number[], channel: number): number | undefined {
  const at = bytes.findLastIndex((byte, index) => byte === (0xe0 | channel) && index + 2 < bytes.length);
  return at < 0 ? undefined : (bytes[at + 1] ?? 0) | ((bytes[at + 2] ?? 0) << 7);
}

/** Whether `part` is in `bytes`, as it is. */
export function includes(bytes: readonly number[], part: readonly number[]): boolean {
  return Buffer.from(bytes).includes(Buffer.from(part));
}

function halves(byte: number): number[] {
  return [byte & 0x7f, byte >> 7];
}
