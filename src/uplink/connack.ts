// What a broker says of itself in its CONNACK (MQTT 3.1.1 section 3.2, MQTT 5 section 3.2.2): limits to keep, things it does
// not do. Read once per session by `mqtt-session.ts`.

import type { IConnackPacket } from 'mqtt';
import type { PublishRestrictions } from './restricted-publish.js';
import type { SessionLimits, SessionOptions } from './session.js';

/** A CONNACK, read. */
export interface Greeting {
  readonly limits: SessionLimits;
  /** What must not stand in a PUBLISH to this broker; `undefined` where all may. */
  readonly restrictions?: PublishRestrictions;
  /** It takes filters with `+` or `#`. */
  readonly takesWildcards: boolean;
  /** What is not as asked for, in sentences for the log. */
  readonly notes: readonly string[];
}

/** What holds before the CONNACK, and with MQTT 3.1.1: no limits. */
export const NO_GREETING: Greeting = readGreeting({}, { keepaliveSeconds: 0, clientId: '' });

/** Reads a CONNACK that says yes. MQTT 3.1.1 knows none of the properties. */
export function readGreeting(
  { properties = {}, sessionPresent }: Partial<IConnackPacket>,
  asked: Pick<SessionOptions, 'keepaliveSeconds' | 'clientId' | 'sessionExpirySeconds'>,
): Greeting {
  const restrictions = { noQos1: properties.maximumQoS === 0, noRetain: properties.retainAvailable === false };
  return {
    limits: {
      receiveMaximum: properties.receiveMaximum ?? 65_535,
      maximumPacketSize: properties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
      topicAliasMaximum: properties.topicAliasMaximum ?? 0,
      sessionPresent: sessionPresent ?? false,
    },
    ...((restrictions.noQos1 || restrictions.noRetain) && { restrictions }),
    takesWildcards: properties.wildcardSubscriptionAvailable !== false,
    notes: notesOn(properties, asked),
  };
}

type Properties = NonNullable<IConnackPacket['properties']>;

function notesOn(
  properties: Properties,
  { keepaliveSeconds, clientId, sessionExpirySeconds = 0 }: Parameters<typeof readGreeting>[1],
): string[] {
  const { serverKeepAlive, assignedClientIdentifier, sessionExpiryInterval = sessionExpirySeconds } = properties;
  const notes: string[] = [];
  const note = (holds: boolean, words: string): void => void (holds && notes.push(words));
  note(
    properties.maximumQoS === 0,
    'the broker takes QoS 0 only: messages are sent at QoS 0, and what is on its way when a connection breaks is lost',
  );
  note(
    properties.retainAvailable === false,
    'the broker keeps no retained messages: who subscribes later does not see states and availability',
  );
  note(
    properties.wildcardSubscriptionAvailable === false,
    'the broker takes no wildcard subscriptions: requests to the gateway and commands for channels do not arrive',
  );
  note(
    serverKeepAlive !== undefined && serverKeepAlive !== keepaliveSeconds,
    `the broker wants a keepalive of ${serverKeepAlive} s instead of mqtt.keepalive: ${keepaliveSeconds} s`,
  );
  note(
    assignedClientIdentifier !== undefined && assignedClientIdentifier !== clientId,
    `the broker calls us ${JSON.stringify(assignedClientIdentifier)} instead of mqtt.client_id "${clientId}"`,
  );
  note(
    sessionExpiryInterval < sessionExpirySeconds,
    `the broker keeps our session ${sessionExpiryInterval} s instead of mqtt.session_expiry: ${sessionExpirySeconds} s`,
  );
  return notes;
}
