// The far end of a line, as a virtual device holds it: it talks, it listens, it can be unplugged. What kind of line it is
// stays behind this interface, so that one and the same device runs on a pty, behind a TCP port, or dials in by itself.
//
//   virtual-pty-line.ts    the gateway opens a serial port         link: serial
//   virtual-tcp-line.ts    the gateway connects to the device      link: tcp
//   virtual-dial-line.ts   the device connects to the gateway      link: tcp-listen
//
// Its plug may be moved by several at the same time: moves are made one after the other, in the order of the calls (plug.ts).

/** The device's end of a line. */
export interface VirtualLine {
  /** The string form of the link that reaches this device, for a config. Stays the same over `unplug` and `plug`. */
  readonly link: string;
  /** True while somebody is at the other end. Absent: not known. */
  readonly isOpen?: boolean;
  /** Sends to the gateway. While nobody is there the bytes are lost, as on a real line. */
  send(bytes: Uint8Array | string): void;
  /** Resolves when all that was sent has left, or is lost: for who sends faster than a line carries. */
  flushed?(): Promise<unknown>;
  /** Gives what the gateway writes to `listener`; the last one set counts. */
  onData(listener: (chunk: Buffer) => void): void;
  /** Pulls the plug: the gateway loses its link and cannot open it again. Idempotent. */
  unplug(): Promise<void>;
  /** Plugs in again; does nothing once it was closed. Idempotent. Rejects if the system does not give the port or the pty back. */
  plug(): Promise<void>;
  /** Breaks the link and is there again at once. Without it `unplug` and `plug` do the same. */
  reset?(): Promise<void>;
  /** Unplugs for good. Idempotent. */
  close(): Promise<void>;
}
