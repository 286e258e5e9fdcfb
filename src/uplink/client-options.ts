// What mqtt.js is told for one session. It keeps the session and nothing more: no reconnect, no queue, no store.

import type { IClientOptions } from 'mqtt';
import { SessionIds } from './packet-ids.js';
import type { SessionOptions } from './session.js';

/**
 * Largest packet that the broker may send us, bytes: commands and requests are small. MQTT 5 brokers are told, and drop what
 * is larger; one that sends it all the same loses the session (session-stream.ts).
 */
export const MAX_INCOMING_PACKET = 8 * 1024 * 1024;
// openSession bounds the wait for CONNACK; this one is only there because mqtt.js always has one.
const MQTT_JS_CONNECT_TIMEOUT_MS = 120_000;

/** Options for an MqttClient on a stream of ours. */
export function clientOptions(options: SessionOptions): IClientOptions {
  const { username, password, will, version, sessionExpirySeconds = 0 } = options;
  const isKept = sessionExpirySeconds > 0;
  return {
    protocolVersion: version,
    clientId: options.clientId,
    clean: !isKept,
    keepalive: options.keepaliveSeconds,
    ...(version === 5 && {
      properties: {
        maximumPacketSize: MAX_INCOMING_PACKET,
        ...(isKept && { sessionExpiryInterval: sessionExpirySeconds }),
      },
    }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(will === undefined
      ? {}
      : { will: { topic: will.topic, payload: will.payload, retain: will.retain, qos: will.qos ?? 1 } }),
    messageIdProvider: new SessionIds(),
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    connectTimeout: MQTT_JS_CONNECT_TIMEOUT_MS,
  };
}
