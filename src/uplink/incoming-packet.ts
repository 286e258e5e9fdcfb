// From a PUBLISH packet as mqtt.js reads it to a message as the rest of the uplink knows it.

import type { IPublishPacket } from 'mqtt';
import type { IncomingMessage } from './incoming-message.js';

/** The message in a packet. */
export function incomingMessage(topic: string, payload: Buffer, packet: IPublishPacket): IncomingMessage {
  const { responseTopic, correlationData, messageExpiryInterval } = packet.properties ?? {};
  return {
    topic,
    payload,
    retain: packet.retain,
    qos: packet.qos,
    dup: packet.dup,
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlation: correlationData }),
    ...(messageExpiryInterval === undefined ? {} : { expirySeconds: messageExpiryInterval }),
  };
}
