// The line of the benchmark: 64 bytes that say which device wrote them, their number, and when their last part was written, so
// that whoever receives them can tell what is lost, doubled, out of order or late. Read and written in place, without a
// string: the generator and the sink must never be what is measured.
//
//   0    5          16                               48              63
//   DDDD NNNNNNNNNN ................................ TTTTTTTTTTTTTTT \n       T: us of the monotonic clock
//
// The time stands in the last 16 bytes, which a device writes last: a latency counts from the end of the line, not from its
// first byte, which at 115200 baud is 4 ms older.

/** Length of a line, delimiter included. */
export const STAMPED_BYTES = 64;
/** Length of its payload, as it arrives at a broker. */
export const PAYLOAD_BYTES = STAMPED_BYTES - 1;

const DEVICE_DIGITS = 4;
const NUMBER_AT = 5;
const NUMBER_DIGITS = 10;
const TIME_AT = 48;
const TIME_DIGITS = 15;
const [SPACE, DOT, NEWLINE, ZERO] = [0x20, 0x2e, 0x0a, 0x30];
const FILL_AT = NUMBER_AT + NUMBER_DIGITS + 1;

const BLANK = Buffer.alloc(STAMPED_BYTES, DOT);
BLANK[DEVICE_DIGITS] = SPACE;
BLANK[FILL_AT - 1] = SPACE;
BLANK[TIME_AT - 1] = SPACE;
BLANK[STAMPED_BYTES - 1] = NEWLINE;
const FILL = BLANK.subarray(FILL_AT - 1, TIME_AT);

/** Microseconds of the clock that all processes of a machine share. */
export function monotonicUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1000);
}

/** One line, for where few are written. */
export function stampedLine(device: number, number: number, timeUs: number): Buffer {
  const line = stampedBlock(device, 1);
  numberBlock(line, number);
  stampBlock(line, timeUs);
  return line;
}

/** `count` lines of a device behind one another; number and stamp them before each write. */
export function stampedBlock(device: number, count: number): Buffer {
  const block = Buffer.allocUnsafeSlow(count * STAMPED_BYTES);
  for (let at = 0; at < block.length; at += STAMPED_BYTES) {
    BLANK.copy(block, at);
    putDigits(block, at, DEVICE_DIGITS, device);
  }
  return block;
}

/** Numbers the lines of a block `first`, `first + 1`, ... */
export function numberBlock(block: Buffer, first: number): void {
  let number = first;
  for (let at = NUMBER_AT; at < block.length; at += STAMPED_BYTES) putDigits(block, at, NUMBER_DIGITS, number++);
}

/** Writes a time into all lines of a block. */
export function stampBlock(block: Buffer, timeUs: number): void {
  putDigits(block, TIME_AT, TIME_DIGITS, timeUs);
  for (let line = STAMPED_BYTES; line < block.length; line += STAMPED_BYTES) {
    for (let at = TIME_AT; at < TIME_AT + TIME_DIGITS; at += 1) block[line + at] = block[at] as number; // inside the block
  }
}

/** Device of the payload that begins at `at`. Ask `isIntact` first. */
export function deviceAt(bytes: Buffer, at: number): number {
  return digitsAt(bytes, at, DEVICE_DIGITS);
}

/** Its number. */
export function numberAt(bytes: Buffer, at: number): number {
  return digitsAt(bytes, at + NUMBER_AT, NUMBER_DIGITS);
}

/** When it was written, us. */
export function timeAt(bytes: Buffer, at: number): number {
  return digitsAt(bytes, at + TIME_AT, TIME_DIGITS);
}

/** Whether the `length` bytes at `at` are a payload as sent: neither cut, joined nor garbled. */
export function isIntact(bytes: Buffer, at: number, length: number): boolean {
  if (length !== PAYLOAD_BYTES || bytes[at + DEVICE_DIGITS] !== SPACE) return false;
  if (bytes.compare(FILL, 0, FILL.length, at + FILL_AT - 1, at + TIME_AT) !== 0) return false;
  return !Number.isNaN(deviceAt(bytes, at) + numberAt(bytes, at) + timeAt(bytes, at));
}

function putDigits(bytes: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let place = at + digits - 1; place >= at; place -= 1) {
    const next = Math.floor(rest / 10);
    bytes[place] = ZERO + rest - next * 10;
    rest = next;
  }
}

/** NaN if a byte is no digit. */
function digitsAt(bytes: Buffer, at: number, digits: number): number {
  let value = 0;
  for (let place = at; place < at + digits; place += 1) {
    const digit = (bytes[place] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}
