// Names for accepted connections, from a template: `{ip}`, `{port}`, `{n}` (a counter from 1). The name is a segment of a
// topic, so what MQTT forbids there is replaced, and two connections never share one.

import type net from 'node:net';

/** Makes a function that names a connection. `isTaken` tells which names are in use; those get `-2`, `-3`, ... */
export function peerNamer(template: string): (socket: net.Socket, isTaken: (name: string) => boolean) => string {
  let count = 0;
  return (socket, isTaken) => {
    count += 1;
    const ip = (socket.remoteAddress ?? 'unknown').replace(/^::ffff:/, '');
    const name = template
      .replaceAll('{ip}', ip)
      .replaceAll('{port}', String(socket.remotePort ?? 0))
      .replaceAll('{n}', String(count))
      .replace(/[+#/\0]/g, '_');
    return unique(name, isTaken);
  };
}

function unique(name: string, isTaken: (name: string) => boolean): string {
  if (!isTaken(name)) return name;
  for (let n = 2; ; n += 1) if (!isTaken(`${name}-${n}`)) return `${name}-${n}`;
}
