// Reads packed bytes with mqtt-packet, the parser of mqtt.js and aedes: the judge of what we pack by hand.

import mqttPacket, { type IPublishPacket, type Packet } from 'mqtt-packet';

/** All packets in `bytes`. Throws where they are malformed or end inside a packet. */
export function parsePackets(bytes: Buffer, protocolVersion: 4 | 5): Packet[] {
  const packets: Packet[] = [];
  const parser = mqttPacket.parser({ protocolVersion });
  parser.on('packet', (packet) => packets.push(packet));
  parser.on('error', (error) => {
    throw error;
  });
  const left = parser.parse(bytes);
  if (left > 0) throw new Error(`${left} bytes of an unfinished packet`);
  return packets;
}

/** Same, where all of them must be PUBLISH packets. */
export function parsePublishes(bytes: Buffer, protocolVersion: 4 | 5): IPublishPacket[] {
  return parsePackets(bytes, protocolVersion).map((packet) => {
    if (packet.cmd !== 'publish') throw new Error(`a ${packet.cmd} among the publishes`);
    return packet;
  });
}

/** Payload of a parsed PUBLISH as text. */
export function payloadText(packet: IPublishPacket): string {
  return packet.payload.toString();
}
