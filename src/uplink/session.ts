// What a session with a broker is: one connection, from CONNACK to its loss. The uplink's threads know only this contract;
// `open-session.ts` makes one, `mqtt-session.ts` is it.
//
//   openSession -> socket up -> CONNACK -> Session ... -> onLost, exactly once

import type { Clock } from '../core/clock.js';
import type { Qos } from '../device/message.js';
import type { BrokerTls } from './broker-socket.js';
import type { IncomingMessage } from './incoming-message.js';
import type { PacketWriter } from './outbox.js';
import type { ProtocolVersion } from './publish-packet.js';

/** What the broker publishes for us when we are gone without a word. */
export interface LastWill {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  /** Default 1. */
  readonly qos?: Qos;
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
  /**
   * How long the broker keeps subscriptions, and what came for them at QoS 1, without us; default 0: a new session each time.
   * MQTT 3.1.1 knows no time: anything above 0 has it kept for as long as the broker likes.
   */
  readonly sessionExpirySeconds?: number;
  /** Limit for connection, TLS and CONNACK together, ms; default 10 s. */
  readonly connectTimeoutMs?: number;
  readonly clock: Clock;
}

/** Why a session ended. */
export type LossTrouble =
  | 'closed' // we ended it
  | 'taken-over' // another client has our id
  | 'redirected' // the broker sends us elsewhere
  | 'server-disconnect'
  | 'connection-lost'
  | 'closed-silently' // in good order, by the broker, without a reason
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
  /** What the broker does not do as asked for, and what that means, in sentences for the log. */
  readonly notes: readonly string[];
  readonly isLost: boolean;
  /** Subscribes at QoS 1, a few filters per packet. A broker that does not answer within 10 s loses the session. */
  subscribe(filters: readonly string[]): Promise<SubscribeResult>;
  unsubscribe(filters: readonly string[]): Promise<'done' | 'lost'>;
  /**
   * Reads nothing for a millisecond, so that the acknowledgements of that time wake us once and are read at once. Commands
   * and the loss of the connection are seen that much later too.
   */
  rest(): void;
  /** Sends what is written, then DISCONNECT, and closes; after `maxMs` (default 2 s) without the rest. Idempotent. */
  end(maxMs?: number): Promise<void>;
  /** Closes at once, without DISCONNECT: the broker publishes the last will. */
  destroy(): void;
}
