// Measures the bench itself, in a process of its own: reads a device without looking at the lines, and writes lines as packed MQTT
// packets faster than any gateway, or at the pace of serial ports. What comes of it is what no system under test can exceed here.

import { once } from 'node:events';
import net from 'node:net';
import { generate } from 'mqtt-packet';
import { serveRole } from './role-host.js';
import {
  monotonicUs,
  numberBlock,
  PAYLOAD_BYTES,
  STAMPED_BYTES,
  stampBlock,
  stampedBlock,
  stampedLine,
} from './stamped-line.js';
import { topicOf } from './system.js';

const BLOCK_LINES = 512;

let read = 0;
let written = 0;
let isOpen = false;

/** Reads a TCP device and forgets. */
function discard(port: number): void {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('data', (chunk) => (read += chunk.length));
  socket.on('error', () => {}); // the generator is stopped at the end
}

async function connect(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  socket.on('error', () => {}); // the broker is stopped at the end
  socket.resume();
  socket.write(
    generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId: 'ceiling',
      keepalive: 0,
    }),
  );
  isOpen = true;
  return socket;
}

/** Publishes lines at QoS 0, as fast as the broker takes them. */
async function blast(port: number): Promise<void> {
  const socket = await connect(port);
  const pour = (): void => {
    if (isOpen && socket.write(packets())) setImmediate(pour);
  };
  socket.on('drain', pour);
  pour();
}

/** Publishes so many lines a second, each in a write of its own and stamped just before it: what is late then is the machine's. */
async function trickle({ port, linesPerSecond }: { readonly port: number; readonly linesPerSecond: number }) {
  const socket = await connect(port);
  const begun = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - begun) * linesPerSecond) / 1000);
    if (!isOpen) clearInterval(timer);
    else while (written < due) publishLine(socket);
  }, 1);
}

function publishLine(socket: net.Socket): void {
  const payload = stampedLine(0, written, monotonicUs()).subarray(0, PAYLOAD_BYTES);
  written += 1;
  socket.write(generate({ cmd: 'publish', topic: topicOf(0), payload, qos: 0, dup: false, retain: false }));
}

/** | 0x30 | length | 0 | topic length | topic | payload | ... */
function packets(): Buffer {
  const lines = stampedBlock(0, BLOCK_LINES);
  numberBlock(lines, written);
  stampBlock(lines, monotonicUs());
  const topic = Buffer.from(topicOf(0));
  const head = Buffer.from([0x30, 2 + topic.length + PAYLOAD_BYTES, 0, topic.length, ...topic]);
  const size = head.length + PAYLOAD_BYTES;
  const block = Buffer.allocUnsafeSlow(BLOCK_LINES * size);
  for (let n = 0; n < BLOCK_LINES; n += 1) {
    head.copy(block, n * size);
    lines.copy(block, n * size + head.length, n * STAMPED_BYTES, n * STAMPED_BYTES + PAYLOAD_BYTES);
  }
  written += BLOCK_LINES;
  return block;
}

const handlers = {
  discard,
  blast,
  trickle,
  linesRead: () => read / STAMPED_BYTES,
  stop: () => {
    isOpen = false;
    return new Map([[0, written]]);
  },
};

export type Ceiling = typeof handlers;

serveRole(handlers);
