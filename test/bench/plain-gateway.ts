// What one would write in an afternoon, the peer that Ferrule is measured against: each line of each device is published, each
// command is written to its device, a lost device is tried again after a second. `node plain-gateway.js SETUP.json`

import { readFileSync } from 'node:fs';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { connect } from 'mqtt';
import { ReadlineParser, SerialPort } from 'serialport';
import { commandTopicOf, LISTENED, type Setup, topicOf } from './system.js';

const RETRY_MS = 1000;

const setup: Setup = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')); // written by systems/plain.ts
const client = connect(`mqtt://127.0.0.1:${setup.brokerPort}`);
const devices = new Map<string, Duplex>();

function relay(stream: Duplex, topic: string): void {
  stream
    .pipe(new ReadlineParser({ delimiter: '\n' }))
    .on('data', (line: string) => client.publish(topic, line, { qos: setup.qos }));
}

function openTcp(device: number, port: number): void {
  const socket = net.connect(port, '127.0.0.1');
  devices.set(commandTopicOf(device), socket);
  relay(socket, topicOf(device));
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(() => openTcp(device, port), RETRY_MS));
}

function openSerial(device: number, path: string): void {
  const port = new SerialPort({ path, baudRate: 115200 }, (error) => {
    if (error) setTimeout(() => openSerial(device, path), RETRY_MS);
  });
  devices.set(commandTopicOf(device), port);
  relay(port, topicOf(device));
  port.on('error', () => {});
  port.on('close', () => setTimeout(() => openSerial(device, path), RETRY_MS));
}

function listen(port: number): void {
  net
    .createServer((socket) => {
      relay(socket, `${LISTENED.replace('#', '')}${socket.remotePort}`);
      socket.on('error', () => {});
    })
    .listen(port, '127.0.0.1');
}

client.on('message', (topic, payload) => devices.get(topic)?.write(`${payload}\n`));
if (setup.hasCommands) client.subscribe(setup.links.map((_, device) => commandTopicOf(device)));
for (const [device, link] of setup.links.entries()) {
  if (link.type === 'tcp') openTcp(device, link.port);
  else openSerial(device, link.path);
}
if (setup.listen) listen(setup.listen.port);
