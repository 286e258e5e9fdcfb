// A session with its hooks recorded, and an outbox wired to it as the uplink does.

import { systemClock } from '../../src/core/clock.js';
import type { IncomingMessage } from '../../src/uplink/incoming-message.js';
import { openSession } from '../../src/uplink/open-session.js';
import type { Outbox } from '../../src/uplink/outbox.js';
import type { Session, SessionLoss, SessionOptions } from '../../src/uplink/session.js';

/** What a session does to an outbox. */
export interface RigOutbox extends Pick<Outbox, 'pump' | 'onLoss' | 'connected'> {
  ack(packetId: number, reasonCode: number): unknown;
}

export interface SessionRig {
  readonly session: Session;
  readonly messages: IncomingMessage[];
  /** Resolves with the loss; never, if there is none. */
  readonly lost: Promise<SessionLoss>;
  /** How often `onLost` was called. */
  losses(): number;
}

/** Options for a test's session on loopback. */
export function sessionOptions(port: number, more: Partial<SessionOptions> = {}): SessionOptions {
  return {
    url: `mqtt://127.0.0.1:${port}`,
    version: 5,
    clientId: `ferrule-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`,
    keepaliveSeconds: 30,
    connectTimeoutMs: 5000,
    clock: systemClock,
    ...more,
  };
}

/** Opens a session; what is in `outbox`, if given, is pumped through it, and goes back when it is lost. */
export async function openRig(options: SessionOptions, outbox?: RigOutbox): Promise<SessionRig> {
  const messages: IncomingMessage[] = [];
  let losses = 0;
  let session: Session | undefined;
  let tellLost: (loss: SessionLoss) => void = () => {};
  const lost = new Promise<SessionLoss>((resolve) => {
    tellLost = resolve;
  });
  const pump = (): void => {
    if (session) outbox?.pump(session);
  };
  session = await openSession(
    options,
    {
      onMessage: (message) => messages.push(message),
      onAck: (packetId, reasonCode) => outbox?.ack(packetId, reasonCode),
      onAcksRead: pump,
      onDrain: pump,
      onLost: (loss) => {
        losses++;
        outbox?.onLoss();
        tellLost(loss);
      },
    },
    new AbortController().signal,
  );
  outbox?.connected(session.limits.receiveMaximum);
  pump();
  return { session, messages, lost, losses: () => losses };
}
