// Stands where a session should be while there is none: between a link and the next, after a crash, at the end. A session is not made
// on first use as framed drivers are: it belongs to one link, and the receive thread begins it with that.

import type { DecodeHost } from '../decode-host.js';

/** Takes nothing, and refuses commands. */
export const NO_SESSION: DecodeHost = {
  held: 0,
  gapMs: undefined,
  settleMs: undefined,
  hasUnsettled: false,
  stats: { bytesIn: 0, frames: 0, readings: 0, junk: new Map() },
  push() {},
  flush() {},
  settle() {},
  encodeCommand: () => ({ ok: false, reason: 'not sent: there is no session with the device just now' }),
};
