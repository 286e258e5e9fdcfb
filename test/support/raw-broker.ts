// A broker of one client, for what a real broker does too seldom for a test: it takes what the gateway says, acknowledges it, and
// sends the packets that the test gives it.

import net from 'node:net';
import mqtt, { type IConnectPacket, type Packet } from 'mqtt-packet';
import { eventually } from './eventually.js';

export interface RawBroker {
  readonly port: number;
  /** What the client has published, in order. */
  readonly published: readonly { readonly topic: string; readonly payload: string }[];
  /** Ids of the packets that the client has acknowledged (QoS 1). */
  readonly acknowledged: readonly number[];
  /** Filters that the client has subscribed to. */
  readonly subscribed: readonly string[];
  /** Sends a packet to the client. */
  send(packet: Packet): void;
  /** Resolves when the client has subscribed to that filter. */
  subscription(filter: string): Promise<void>;
  close(): Promise<void>;
}

/** Listens on loopback, for MQTT 5. */
export async function startRawBroker(): Promise<RawBroker> {
  const published: { topic: string; payload: string }[] = [];
  const acknowledged: number[] = [];
  const subscribed: string[] = [];
  let current: net.Socket | undefined;
  const send = (packet: Packet): void => void current?.write(mqtt.generate(packet, { protocolVersion: 5 }));

  function onPacket(packet: Packet | IConnectPacket): void {
    if (packet.cmd === 'connect') send({ cmd: 'connack', sessionPresent: false, reasonCode: 0 });
    if (packet.cmd === 'pingreq') send({ cmd: 'pingresp' });
    if (packet.cmd === 'puback' && packet.messageId !== undefined) acknowledged.push(packet.messageId);
    if (packet.cmd === 'subscribe') {
      subscribed.push(...packet.subscriptions.map(({ topic }) => topic));
      send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: packet.subscriptions.map(() => 1) });
    }
    if (packet.cmd !== 'publish') return;
    published.push({ topic: packet.topic, payload: packet.payload.toString() });
    if (packet.qos === 1) send({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode: 0 });
  }

  const server = net.createServer((socket) => {
    current = socket;
    const parser = mqtt.parser({ protocolVersion: 5 });
    parser.on('packet', onPacket);
    socket.on('data', (chunk) => parser.parse(chunk));
    socket.on('error', () => {}); // the gateway may be killed
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    published,
    acknowledged,
    subscribed,
    send,
    subscription: (filter) => eventually(() => subscribed.includes(filter), `a subscription to ${filter}`),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        current?.destroy();
      }),
  };
}
