// What a session with a broker is: one connection, from CONNACK to its loss. The uplink's threads know only this contract;
// `open-session.ts` makes one, `mqtt-session.ts` is it.
//
//   openSession -> socket up -> CONNACK -> Session ... -> onLost, exactly once

import type { Clock } from '../core/clock.js';
import type { BrokerTls } from './broker-socket.js';
import type { IncomingMessage } from './incoming-message.js';
import type { PacketWriter } from './outbox.js';
import type { ProtocolVersion } from './publish-packet.js';

/** What the broker publishes for us when we are gone without a word. QoS 1. */
export interface LastWill {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
}

export interface SessionOptions {
  /** `mqtt:`, `mqtts:`, `ws:` or `wss:`. */
  readonly url: string;
  readonly version: ProtocolVersion;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string | Buffer;
  readonly tls?: BrokerTls;
  /** Seconds; 0 = none. Finds a peer that is gone without a word after at most 1.5 times as long. */
  readonly keepaliveSeconds: number;
  readonly will?: LastWill;
  /** Limit for connection, TLS and CONNACK together, ms; default 10 s. */
  readonly connectTimeoutMs?: number;
  readonly clock: Clock;
}

/** Why a session ended. `closed`: we ended it. */
export type LossTrouble =
  | 'closed'
  | 'taken-over'
  | 'server-disconnect'
  | 'connection-lost'
  | 'keepalive'
  | 'protocol-error';

export interface SessionLoss {
  readonly trouble: LossTrouble;
  /** A sentence for the log. */
  readonly detail: string;
}

/** Called by the session; none may throw. */
export interface SessionHooks {
  onMessage(message: IncomingMessage): void;
  /** A PUBACK for a packed QoS 1 message. Reason codes from 128 on: refused. */
  onAck(packetId: number, reasonCode: number): void;
  /** All acknowledgements that came together have been reported: pump now. */
  onAcksRead(): void;
  /** The socket has room again. */
  onDrain(): void;
  /** Exactly once for each session that was opened, also after `end` and `destroy`. */
  onLost(loss: SessionLoss): void;
}

/** What the broker allows. MQTT 3.1.1 names no limits. */
export interface SessionLimits {
  /** Most QoS 1 messages unacknowledged, 1 to 65535. */
  readonly receiveMaximum: number;
  /** Bytes; Infinity where the broker names none. */
  readonly maximumPacketSize: number;
  /** 0 = no topic aliases. */
  readonly topicAliasMaximum: number;
  /** The broker had kept a session for this client id. */
  readonly sessionPresent: boolean;
}

/** A filter that the broker refused, with its reason in words. */
export interface RefusedFilter {
  readonly filter: string;
  readonly reason: string;
}

/** The filters that the broker refused (none: all is well), or `lost` when the session ended meanwhile. */
export type SubscribeResult = readonly RefusedFilter[] | 'lost';

/** An open session. Its waits all end at the latest with its loss. */
export interface Session extends PacketWriter {
  readonly limits: SessionLimits;
  readonly isLost: boolean;
  /** Subscribes at QoS 1, a few filters per packet. A broker that does not answer within 10 s loses the session. */
  subscribe(filters: readonly string[]): Promise<SubscribeResult>;
  unsubscribe(filters: readonly string[]): Promise<'done' | 'lost'>;
  /** Sends what is written, then DISCONNECT, and closes; after `maxMs` (default 2 s) without the rest. Idempotent. */
  end(maxMs?: number): Promise<void>;
  /** Closes at once, without DISCONNECT: the broker publishes the last will. */
  destroy(): void;
}
