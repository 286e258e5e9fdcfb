// A simulated Uno with the real StandardFirmata, and a session driver on it in its Worker, without a gateway in between: the session's
// wire and the chip's UART are one.

import { Duplex } from 'node:stream';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../src/core/clock.js';
import type { SessionDriver, SessionHost } from '../../src/device/driver.js';
import { builtInDriversDir } from '../../src/device/load.js';
import type { BoundedOutcome } from '../../src/group/bounded-write.js';
import { WorkerSession } from '../../src/group/session/worker-session.js';
import type { AvrBoard } from '../../src/hil/avr/avr-board.js';
import { standardFirmataHex } from '../../src/hil/avr/firmware.js';
import { startAvrBoard } from '../../src/hil/avr/start-avr-board.js';
import type { VirtualLine } from '../../src/hil/virtual-line.js';
import { eventually } from './eventually.js';
import { RecordingLog } from './recording-log.js';
import { TimedSink } from './worker-rig.js';

/** On a loaded machine the chip runs slower than real time. */
const ANSWER_WITHIN_MS = 25_000;

/** A session on a board, and what it has told. */
export interface BoardRig {
  readonly board: AvrBoard;
  readonly readings: readonly Readonly<Record<string, unknown>>[];
  readonly details: Readonly<Record<string, unknown>>;
  /** Gives a command, as text or JSON; answers why it was refused, or undefined. */
  set(channel: string | undefined, wanted: unknown): Promise<string | undefined>;
  /** Puts bytes onto the line that the board has not sent. */
  noise(bytes: Buffer): void;
  get(): Promise<Record<string, unknown>>;
  /** Waits until the last reading says that of a channel. */
  reads(channel: string, fits: (value: unknown) => boolean): Promise<void>;
}

/** The two ends of a line in memory: the wire of a host, and the line of a device. */
export function pairedHost(): { readonly host: SessionHost; readonly line: VirtualLine } {
  const { line, toDevice } = memoryLine((bytes) => wire.destroyed || wire.push(bytes));
  const wire = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      toDevice(chunk);
      done();
    },
  });
  const nothing = (): void => {};
  return { host: { wire, reading: nothing, log: nothing, details: nothing }, line };
}

function memoryLine(toGateway: (bytes: Buffer) => void): {
  readonly line: VirtualLine;
  readonly toDevice: (bytes: Buffer) => void;
} {
  let listener: (chunk: Buffer) => void = () => {};
  const nothing = async (): Promise<void> => {};
  const line: VirtualLine = {
    link: 'memory',
    send: (bytes) => toGateway(Buffer.from(bytes)),
    onData: (heard) => {
      listener = heard;
    },
    unplug: nothing,
    plug: nothing,
    close: nothing,
  };
  return { line, toDevice: (bytes) => listener(bytes) };
}

class LineSink extends TimedSink {
  readonly #toDevice: (bytes: Buffer) => void;

  constructor(toDevice: (bytes: Buffer) => void) {
    super();
    this.#toDevice = toDevice;
  }

  write(bytes: Buffer): Promise<BoundedOutcome> {
    this.#toDevice(bytes);
    return Promise.resolve('written');
  }
}

/** Opens a driver on a board; rejects with what it says if the board does not answer. Both end with the test. */
export async function boardRig(
  t: ExecutionContext,
  name: string,
  driver: SessionDriver,
  given: object,
): Promise<BoardRig> {
  let session: WorkerSession | undefined;
  const { line, toDevice } = memoryLine((bytes) => session?.push(bytes));
  const board = await startAvrBoard({ line, hex: standardFirmataHex() ?? '', clock: systemClock });
  t.teardown(() => board.close());
  const sink = new LineSink(toDevice);
  let details = {};
  await new Promise<void>((onReady, reject) => {
    session = new WorkerSession({
      id: name,
      driver: { name, dirs: [builtInDriversDir] },
      options: driver.options.parse({ answer_within_ms: ANSWER_WITHIN_MS, ...given }),
      clock: systemClock,
      log: new RecordingLog(),
      out: sink,
      events: {
        onReady,
        onUnanswered: (reason) => reject(new Error(reason)),
        onDetails: (json) => {
          details = JSON.parse(json);
        },
        onCrash: reject,
      },
    });
    t.teardown(() => session?.close());
  });
  const command = async (verb: 'set' | 'get', channel: string | undefined, text: string) => {
    const payload = Buffer.from(text);
    const encoded = session?.encodeCommand({ verb, payload, ...(channel !== undefined && { channel }) });
    return encoded?.ok ? encoded.answer : encoded;
  };
  return {
    board,
    get readings() {
      return sink.objects as Record<string, unknown>[];
    },
    details,
    async set(channel, wanted) {
      const answer = await command('set', channel, typeof wanted === 'string' ? wanted : JSON.stringify(wanted));
      return answer?.ok === false ? answer.reason : undefined;
    },
    async get() {
      const answer = await command('get', undefined, '');
      return (answer && 'data' in answer ? answer.data : undefined) as Record<string, unknown>;
    },
    noise: (bytes) => session?.push(bytes),
    reads: (channel, fits) =>
      eventually(
        () => fits((sink.objects.at(-1) as Record<string, unknown> | undefined)?.[channel]),
        `a reading of ${channel}`,
      ),
  };
}
