// The registers of a virtual Modbus device: one request (function code and data, without address and checksum) in, one
// answer out. Pure, but for what is written into the registers. After "MODBUS Application Protocol Specification V1.1b3".
//
//   3 read holding registers   4 read input registers   6 write one register   16 write several registers

/** Function codes that are answered. */
const READ_HOLDING = 3;
const READ_INPUT = 4;
const WRITE_ONE = 6;
const WRITE_SEVERAL = 16;
/** Exception codes, section 7. */
const ILLEGAL_FUNCTION = 1;
const ILLEGAL_ADDRESS = 2;
const ILLEGAL_VALUE = 3;
const MAX_READ = 125;
const MAX_WRITE = 123;

/** Register number (from 0) -> 16-bit value. A register that is not there is answered with exception 2. */
export type Registers = Map<number, number>;

export interface ModbusRegisters {
  readonly holding: Registers;
  readonly input: Registers;
}

/** The answer to a request: the function code and its data, or the function code + 0x80 and an exception code. */
export function answerRequest({ holding, input }: ModbusRegisters, request: Buffer): Buffer {
  const code = request[0] ?? 0;
  if (code === READ_HOLDING) return read(holding, request);
  if (code === READ_INPUT) return read(input, request);
  if (code === WRITE_ONE) return writeOne(holding, request);
  if (code === WRITE_SEVERAL) return writeSeveral(holding, request);
  return exception(code, ILLEGAL_FUNCTION);
}

/** Length of the request that begins at `at`, going by its function code; undefined: more bytes are needed to tell. */
export function requestLength(bytes: Buffer, at: number): number | undefined {
  const code = bytes[at];
  if (code === undefined) return undefined;
  if (code !== WRITE_SEVERAL) return 5;
  const count = bytes[at + 5];
  return count === undefined ? undefined : 6 + count;
}

function read(registers: Registers, request: Buffer): Buffer {
  if (request.length !== 5) return exception(request[0] ?? 0, ILLEGAL_VALUE);
  const first = request.readUInt16BE(1);
  const count = request.readUInt16BE(3);
  if (count < 1 || count > MAX_READ) return exception(request[0] ?? 0, ILLEGAL_VALUE);
  const answer = Buffer.alloc(2 + count * 2);
  answer[0] = request[0] ?? 0;
  answer[1] = count * 2;
  for (let i = 0; i < count; i += 1) {
    const value = registers.get(first + i);
    if (value === undefined) return exception(request[0] ?? 0, ILLEGAL_ADDRESS);
    answer.writeUInt16BE(value & 0xffff, 2 + i * 2);
  }
  return answer;
}

function writeOne(registers: Registers, request: Buffer): Buffer {
  if (request.length !== 5) return exception(WRITE_ONE, ILLEGAL_VALUE);
  const register = request.readUInt16BE(1);
  if (!registers.has(register)) return exception(WRITE_ONE, ILLEGAL_ADDRESS);
  registers.set(register, request.readUInt16BE(3));
  return Buffer.from(request);
}

function writeSeveral(registers: Registers, request: Buffer): Buffer {
  if (request.length < 6) return exception(WRITE_SEVERAL, ILLEGAL_VALUE);
  const first = request.readUInt16BE(1);
  const count = request.readUInt16BE(3);
  const isRight = count >= 1 && count <= MAX_WRITE && request[5] === count * 2 && request.length === 6 + count * 2;
  if (!isRight) return exception(WRITE_SEVERAL, ILLEGAL_VALUE);
  const numbers = Array.from({ length: count }, (_, i) => first + i);
  if (!numbers.every((register) => registers.has(register))) return exception(WRITE_SEVERAL, ILLEGAL_ADDRESS);
  for (const [i, register] of numbers.entries()) registers.set(register, request.readUInt16BE(6 + i * 2));
  return Buffer.from(request.subarray(0, 5));
}

function exception(code: number, reason: number): Buffer {
  return Buffer.from([code | 0x80, reason]);
}
