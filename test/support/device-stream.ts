// A steady stream of numbered lines into a gateway, as from a device: through a socket in whole lines, through a pty in the
// small writes of a serial line. Counts what the system has taken, which is what the gateway can have read at most.

import type net from 'node:net';
import type { Pty } from '../../src/hil/pty.js';
import { startPacedWriter } from './paced-writer.js';

/** Length of a line, delimiter included. */
export const LINE_BYTES = 64;
/** A 115200 baud line, 8N1: ten bits a byte. */
const LINE_BYTES_PER_SECOND = 11_520;
const LINE_WRITE_BYTES = 16;

export interface DeviceStream {
  /** Bytes that the system has taken from the device. */
  readonly taken: number;
  /** Writes that nobody was there to read. */
  readonly dropped: number;
  /** Whole lines written. */
  readonly lines: number;
  /** Ends with a whole line; idempotent. */
  stop(): void;
}

/** Streams through a socket until it is closed. */
export function streamToTcp(socket: net.Socket, linesPerSecond: number): DeviceStream {
  const write = (bytes: Buffer): boolean => {
    if (socket.writable) socket.write(bytes);
    return socket.writable;
  };
  const writer = startPacedWriter({ bytesPerSecond: linesPerSecond * LINE_BYTES, lineBytes: LINE_BYTES, write });
  return {
    get taken() {
      return socket.bytesWritten - socket.writableLength;
    },
    dropped: 0,
    get lines() {
      return writer.lines;
    },
    stop: () => writer.stop(),
  };
}

/** Streams through a pty at the pace of 115200 baud. */
export function streamToPty(pty: Pty): DeviceStream {
  let [taken, dropped] = [0, 0];
  const write = (bytes: Buffer): boolean => {
    void pty.write(bytes).then((outcome) => {
      if (outcome === 'taken') taken += bytes.length;
      else dropped += 1;
    });
    return true;
  };
  const pace = { bytesPerSecond: LINE_BYTES_PER_SECOND, writeBytes: LINE_WRITE_BYTES };
  const writer = startPacedWriter({ ...pace, lineBytes: LINE_BYTES, write });
  return {
    get taken() {
      return taken;
    },
    get dropped() {
      return dropped;
    },
    get lines() {
      return writer.lines;
    },
    stop: () => writer.stop(),
  };
}
