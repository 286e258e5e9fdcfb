// What the kernel holds between two sockets of this machine, from /proc/net/tcp.

import { readFileSync } from 'node:fs';

/** Bytes sent on `fromPort` to `toPort` of loopback that the receiving program has not read. */
export function queuedBetween(fromPort: number, toPort: number): number {
  return queuedIn(readFileSync('/proc/net/tcp', 'utf8'), fromPort, toPort);
}

/** The same, of the text of /proc/net/tcp: `sl local:port remote:port st tx_queue:rx_queue ...`, in hexadecimal. */
export function queuedIn(text: string, fromPort: number, toPort: number): number {
  let bytes = 0;
  for (const line of text.split('\n').slice(1)) {
    const [, local = '', remote = '', , queues = ''] = line.trim().split(/\s+/);
    const [tx = '0', rx = '0'] = queues.split(':');
    if (portOf(local) === fromPort && portOf(remote) === toPort) bytes += Number.parseInt(tx, 16);
    if (portOf(local) === toPort && portOf(remote) === fromPort) bytes += Number.parseInt(rx, 16);
  }
  return bytes;
}

function portOf(address: string): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16);
}
