// Where a virtual device is to be found, as people write it (`ferrule sim`, `ferrule replay`), and the line that is opened there.
//
//   /tmp/gps, ./gps            a pty; this path is the symlink that the gateway opens as a serial port
//   tcp://127.0.0.1:7001       the device listens, the gateway connects (tcp)
//   dial://127.0.0.1:7000      the device connects, the gateway listens (tcp-listen)

import { lstatSync, readlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Clock } from '../core/clock.js';
import { FerruleError, messageOf } from '../core/errors.js';
import { PtyUnavailableError } from './pty-master.js';
import { openDialLine } from './virtual-dial-line.js';
import type { VirtualLine } from './virtual-line.js';
import { openPtyLine } from './virtual-pty-line.js';
import { openTcpLine } from './virtual-tcp-line.js';

export type LinePlace =
  | { readonly kind: 'pty'; readonly path: string }
  | { readonly kind: 'tcp' | 'dial'; readonly host: string; readonly port: number };

/** What `parseLinePlace` takes, for messages. */
export const LINE_PLACES = 'a path for a pty such as /tmp/gps, tcp://HOST:PORT or dial://HOST:PORT';

const HOST_PORT = /^(tcp|dial):\/\/(?:\[([^[\]]+)\]|([^:[\]/@]+)):(\d{1,5})\/?$/;

/** Reads a place; undefined if it is none. Relative paths are from `dir`. */
export function parseLinePlace(text: string, dir: string): LinePlace | undefined {
  const [, scheme, v6, name, digits] = HOST_PORT.exec(text) ?? [];
  const host = v6 ?? name;
  const port = Number(digits);
  if ((scheme === 'tcp' || scheme === 'dial') && host !== undefined && port <= 65535) {
    return scheme === 'dial' && port === 0 ? undefined : { kind: scheme, host, port };
  }
  return /^\.{0,2}\/./.test(text) ? { kind: 'pty', path: resolve(dir, text) } : undefined;
}

export interface OpenLineOptions {
  readonly clock: Clock;
  /** Told in one line if there are no ptys here, and where the device is instead. */
  readonly say: (line: string) => void;
  /** For tests. */
  readonly openPty?: typeof openPtyLine;
}

/** Opens the line. Where ptys are not available, a port of loopback that the system chooses. Rejects with FerruleError. */
export async function openLine(place: LinePlace, options: OpenLineOptions): Promise<VirtualLine> {
  const { clock } = options;
  if (place.kind === 'dial') return openDialLine({ clock, host: place.host, port: place.port });
  if (place.kind === 'pty') return openPtyAt(place.path, options);
  try {
    return await openTcpLine(place.port, place.host);
  } catch (cause) {
    throw new FerruleError('line-unavailable', `cannot listen: ${messageOf(cause)}`, { cause });
  }
}

async function openPtyAt(path: string, { clock, say, openPty = openPtyLine }: OpenLineOptions): Promise<VirtualLine> {
  if (isTaken(path)) throw new FerruleError('line-unavailable', `${path} is there already, and is no link to a pty`);
  try {
    return await openPty({ clock, symlink: path });
  } catch (cause) {
    if (!(cause instanceof PtyUnavailableError)) {
      throw new FerruleError('line-unavailable', `cannot make the link ${path}: ${messageOf(cause)}`, { cause });
    }
    const line = await openTcpLine();
    say(`${cause.message}: ${line.link} instead of ${path}`);
    return line;
  }
}

/** A link that a killed process has left behind may be replaced; anything else is somebody's. */
function isTaken(path: string): boolean {
  try {
    return !(lstatSync(path).isSymbolicLink() && readlinkSync(path).startsWith('/dev/pts/'));
  } catch {
    return false; // not there
  }
}
