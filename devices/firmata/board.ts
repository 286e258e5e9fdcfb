// A board with Firmata at the other end of a wire: brings it up, says what it is, and notices when it no longer answers.
//
// An Uno resets when its port is opened, and its bootloader swallows what it is sent for up to 2 s; a board on TCP does not
// reset and says nothing by itself. So it is asked at once, and again until it answers.

import type { Duplex } from 'node:stream';
import type { SessionHost } from 'ferrule/driver';
import firmata, { type Firmata } from 'firmata-io';
import { Transport } from './transport.js';

export interface BoardOptions {
  /** How often the board reports analog inputs, ms. */
  readonly samplingMs: number;
  /** How long to wait for the board's first answers, ms. */
  readonly answerWithinMs: number;
}

/** Firmata protocol: REPORT_VERSION, and the SysEx queries for firmware and capabilities. */
const REPORT_VERSION = Buffer.of(0xf9);
const QUERY_FIRMWARE = Buffer.of(0xf0, 0x79, 0xf7);
const QUERY_CAPABILITIES = Buffer.of(0xf0, 0x6b, 0xf7);

const ASK_EVERY_MS = 400;
const CHECK_EVERY_MS = 5000;
const CHECKS_IN_VAIN = 3;

/** Resolves with a board that has told its pins. Rejects with what to look at if it does not answer. */
export async function openBoard(host: SessionHost, { samplingMs, answerWithinMs }: BoardOptions): Promise<Firmata> {
  const { wire } = host;
  let bytes = 0;
  const count = (chunk: Buffer): void => {
    bytes += chunk.length;
  };
  wire.on('data', count);
  const board = boardOn(host, samplingMs);
  const asking = setInterval(() => ask(board, wire), ASK_EVERY_MS);
  ask(board, wire);
  try {
    await answered(board, answerWithinMs);
  } catch {
    throw new Error(complaint(bytes, answerWithinMs));
  } finally {
    clearInterval(asking);
    wire.off('data', count);
  }
  return board;
}

function boardOn({ wire, log }: SessionHost, samplingInterval: number): Firmata {
  const transport = new Transport(wire, (error) => {
    board.buffer = [];
    log('debug', `a garbled message of the board: ${error instanceof Error ? error.message : error}`);
  });
  const board: Firmata = new firmata.Firmata(transport, { samplingInterval });
  clearTimeout(board.reportVersionTimeoutId); // it asks once by itself, and late
  return board;
}

/** What it has not told yet, step by step: a repeated analog mapping would be added to the first. */
function ask(board: Firmata, wire: Duplex): void {
  if (board.version.major === undefined) wire.write(REPORT_VERSION);
  if (board.firmware.name === undefined) wire.write(QUERY_FIRMWARE);
  else if (board.pins.length === 0) wire.write(QUERY_CAPABILITIES);
}

function answered(board: Firmata, withinMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), withinMs);
    board.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function complaint(bytes: number, withinMs: number): string {
  const seconds = withinMs / 1000;
  return bytes === 0
    ? `no Firmata answer within ${seconds} s, nothing came at all: is StandardFirmata flashed, is this the right port?`
    : `no Firmata answer within ${seconds} s, though ${bytes} bytes came: is StandardFirmata flashed, is the baud rate that of the sketch (57600)?`;
}

/** Asks the board for a sign of life while nothing comes; destroys the wire when it gives none. Answers how to stop. */
export function watchBoard(wire: Duplex, checkEveryMs = CHECK_EVERY_MS): () => void {
  let inVain = 0;
  const onData = (): void => {
    inVain = 0;
  };
  wire.on('data', onData);
  const timer = setInterval(() => {
    inVain += 1;
    if (inVain > CHECKS_IN_VAIN) {
      wire.destroy(new Error(`the board has not answered for ${(CHECKS_IN_VAIN * checkEveryMs) / 1000} s`));
    } else wire.write(REPORT_VERSION);
  }, checkEveryMs);
  return () => {
    clearInterval(timer);
    wire.off('data', onData);
  };
}

const LISTED_MODES = ['ANALOG', 'PWM', 'SERVO', 'I2C', 'PULLUP', 'ONEWIRE', 'STEPPER', 'SERIAL'] as const;

/** What the board is and what its pins can do, for people: `{"firmware":"StandardFirmata 2.5","pins":20,"pwm":[3,5,...]}`. */
export function boardDetails(board: Firmata): Record<string, unknown> {
  const { firmware, version, pins, analogPins } = board;
  const capable = (mode: string): number[] =>
    [...pins.keys()].filter((pin) => pins[pin]?.supportedModes.includes(board.MODES[mode] ?? -1));
  const byMode = LISTED_MODES.map((mode) => [mode.toLowerCase(), capable(mode)] as const);
  return {
    firmware: `${(firmware.name ?? '').replace(/\.ino$/, '')} ${firmware.version?.major}.${firmware.version?.minor}`,
    protocol: `${version.major}.${version.minor}`,
    pins: pins.length,
    ...Object.fromEntries(byMode.filter(([, list]) => list.length > 0)),
    analog: analogPins.map((_, channel) => `A${channel}`),
  };
}
