// The socket on which systemd is told how a service is (sd_notify(3)): one datagram per message, to an address that systemd names.
// Node has no unix datagram sockets. The packages that add them (sd-notify, unix-dgram) compile at install, which a board cannot;
// `systemd-notify` is a process per message, and gone before systemd has looked up whose it was. So libc is called through koffi,
// which is here anyway and comes with binaries for arm, arm64, x64 and musl. Loaded on demand only.

import { closeSync } from 'node:fs';
import { FerruleError, messageOf } from '../core/errors.js';

// Linux on arm, arm64 and x64; node names none of them.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
/** `sun_path` of struct sockaddr_un. */
const MAX_PATH_BYTES = 108;
const FULL: ReadonlySet<string> = new Set(['EAGAIN', 'ENOBUFS']);

/** systemd cannot be told anything from here. */
export class NotifyUnavailableError extends FerruleError {
  constructor(reason: string, options?: { cause?: unknown }) {
    super('notify-unavailable', reason, options);
  }
}

/** `full`: try again later. Anything else: the system's error code. */
export type NotifyResult = 'sent' | 'full' | { readonly code: string };

export interface NotifySocket {
  /** Sends one message. Never waits, never throws. */
  send(text: string): NotifyResult;
  /** Idempotent. */
  close(): void;
}

/** Opens the socket for `NOTIFY_SOCKET`: a path, or `@name` for an abstract address. Rejects with NotifyUnavailableError. */
export async function openNotifySocket(address: string): Promise<NotifySocket> {
  const to = socketAddress(address);
  const { socket, sendto, errorCode } = await loadLibc();
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw new NotifyUnavailableError(`no unix socket: ${errorCode()}`);
  let isOpen = true;
  return {
    send(text) {
      if (!isOpen) return { code: 'EBADF' };
      const bytes = Buffer.from(text);
      if (sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, to, to.length) >= 0) return 'sent';
      const code = errorCode();
      return FULL.has(code) ? 'full' : { code };
    },
    close() {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}

/** struct sockaddr_un; an abstract name begins with a zero byte and has no end mark. */
function socketAddress(address: string): Buffer {
  const isAbstract = address.startsWith('@');
  const path = Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`);
  if (!/^[@/]./.test(address) || path.length > MAX_PATH_BYTES) {
    throw new NotifyUnavailableError(`NOTIFY_SOCKET is neither a path nor @name of a unix socket: ${address}`);
  }
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX); // all machines that Ferrule runs on are little-endian
  return Buffer.concat([family, path]);
}

interface Libc {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly sendto: (
    fd: number,
    bytes: Buffer,
    length: number,
    flags: number,
    address: Buffer,
    addressLength: number,
  ) => number;
  readonly errorCode: () => string;
}

async function loadLibc(): Promise<Libc> {
  try {
    const { default: koffi } = await import('koffi');
    const self = koffi.load(null); // libc is in every Node process, under different file names
    return {
      socket: self.func('int socket(int, int, int)'),
      sendto: self.func('long sendto(int, const void *, size_t, int, const void *, uint32_t)'),
      errorCode: () => {
        const number = koffi.errno();
        return Object.entries(koffi.os.errno).find(([, value]) => value === number)?.[0] ?? String(number);
      },
    };
  } catch (cause) {
    throw new NotifyUnavailableError(`koffi does not load (${messageOf(cause)})`, { cause });
  }
}
