// Stands in for systemd: a unix datagram socket that hears what a service says (sd_notify). Through koffi, since Node has no
// such sockets; looked at every few milliseconds, since the kernel keeps only some ten messages.

import { closeSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import koffi from 'koffi';
import { eventually, PATIENCE_MS } from './eventually.js';

const AF_UNIX = 1;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const EVERY_MS = 5;

/** One message, by its assignments: `{ READY: '1' }`. */
export type Notification = Readonly<Record<string, string>>;

export interface NotifyListener {
  /** For NOTIFY_SOCKET. */
  readonly address: string;
  /** Oldest first. */
  readonly heard: readonly Notification[];
  /** How often `key` was said so far. */
  count(key: string): number;
  /** Waits for a message that has `key`, also one of those already there; gives the last such. */
  waitFor(key: string, withinMs?: number): Promise<Notification>;
}

/** Listens on `address`: a path, or `@name`. Ends with the test. */
export function listenForNotify(t: ExecutionContext, address: string): NotifyListener {
  const libc = koffi.load(null);
  const fd: number = libc.func('int socket(int, int, int)')(AF_UNIX, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0);
  const to = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(address.replace(/^@/, '\0'))]);
  const bound: number = libc.func('int bind(int, const void *, uint32_t)')(fd, to, to.length);
  if (fd < 0 || bound < 0) throw new Error(`cannot listen on ${address}: error ${koffi.errno()}`);
  const recv = libc.func('long recv(int, void *, size_t, int)');
  const heard: Notification[] = [];
  const bytes = Buffer.alloc(4096);
  const look = (): void => {
    for (let length = 1; length > 0; ) {
      length = Number(recv(fd, bytes, bytes.length, 0));
      if (length > 0) heard.push(parse(bytes.toString('utf8', 0, length)));
    }
  };
  const timer = setInterval(look, EVERY_MS);
  t.teardown(() => {
    clearInterval(timer);
    closeSync(fd);
  });
  const having = (key: string): Notification[] => heard.filter((message) => key in message);
  return {
    address,
    heard,
    count: (key) => having(key).length,
    async waitFor(key, withinMs = PATIENCE_MS) {
      await eventually(() => having(key).length > 0, `${key} on ${address}`, withinMs);
      return having(key).at(-1) as Notification; // there is one, just seen
    },
  };
}

function parse(text: string): Notification {
  return Object.fromEntries(text.split('\n').map((line) => [line.replace(/=.*/, ''), line.replace(/^[^=]*=/, '')]));
}
