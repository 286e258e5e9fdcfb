// A WorkerSession with everything around it, for tests: real Worker, real clock, the driver `session` of test/support/bad-drivers.

import type { ExecutionContext } from 'ava';
import { systemClock } from '../../src/core/clock.js';
import { builtInDriversDir } from '../../src/device/load.js';
import type { BoundedOutcome } from '../../src/group/bounded-write.js';
import { WorkerSession, type WorkerSessionOptions } from '../../src/group/session/worker-session.js';
import type { WorkerCrash } from '../../src/group/worker/worker-crash.js';
import { eventually } from './eventually.js';
import { RecordingLog } from './recording-log.js';
import { badDriversDir, TimedSink } from './worker-rig.js';

/** Keeps what the session writes; `hold` keeps the writes from settling. */
export class WiredSink extends TimedSink {
  readonly written: Buffer[] = [];
  /** The link is gone: nothing is written any more. */
  isLost = false;
  #isHeld = false;
  #held: (() => void)[] = [];

  /** What was written so far, joined. */
  get text(): string {
    return Buffer.concat(this.written).toString();
  }

  write(bytes: Buffer): Promise<BoundedOutcome> {
    if (this.isLost) return Promise.resolve('lost');
    this.written.push(bytes);
    return this.#isHeld
      ? new Promise((resolve) => this.#held.push(() => resolve('written')))
      : Promise.resolve('written');
  }

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    for (const settle of this.#held.splice(0)) settle();
  }
}

export interface SessionDriverRig {
  readonly session: WorkerSession;
  readonly sink: WiredSink;
  readonly log: RecordingLog;
  readonly details: readonly string[];
  readonly ready: Promise<void>;
  readonly unanswered: Promise<string>;
  readonly crashed: Promise<WorkerCrash>;
  /** Pushes text, as having come now. */
  push(text: string): void;
  /** Gives a command `set` and awaits what the session answers. */
  ask(text: string, more?: { verb?: 'get'; channel?: string }): Promise<unknown>;
}

/** Closed at the end of the test. */
export function sessionDriverRig(
  t: ExecutionContext,
  options: Readonly<Record<string, unknown>> = {},
  given: Partial<WorkerSessionOptions> = {},
): SessionDriverRig {
  const sink = new WiredSink();
  const log = new RecordingLog();
  const details: string[] = [];
  const [ready, tellReady] = news<void>();
  const [unanswered, tellUnanswered] = news<string>();
  const [crashed, tellCrash] = news<WorkerCrash>();
  const session = new WorkerSession({
    id: 'board',
    driver: { name: 'session', dirs: [builtInDriversDir, badDriversDir] },
    options,
    commands: { echo: { summary: 'writes' } },
    clock: systemClock,
    log,
    out: sink,
    events: {
      onReady: tellReady,
      onUnanswered: tellUnanswered,
      onDetails: (json) => details.push(json),
      onCrash: tellCrash,
    },
    ...given,
  });
  t.teardown(() => session.close());
  return {
    session,
    sink,
    log,
    details,
    ready,
    unanswered,
    crashed,
    push: (text) => session.push(Buffer.from(text)),
    async ask(text, more = {}) {
      const encoded = session.encodeCommand({ verb: 'set', payload: Buffer.from(text), ...more });
      return encoded.ok ? encoded.answer : encoded;
    },
  };
}

/** Waits for what a session brings about in its own time. */
export async function until(condition: () => boolean): Promise<void> {
  await eventually(condition, 'the session has done it');
}

function news<T>(): [Promise<T>, (value: T) => void] {
  let tell: (value: T) => void = () => {};
  const told = new Promise<T>((resolve) => {
    tell = resolve;
  });
  return [told, tell];
}
