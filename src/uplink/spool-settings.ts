// What the user says of the spool, as the send thread needs it.

import type { ReplayOrder } from './lanes.js';

export interface SpoolSettings {
  /** `off` keeps no readings while the broker is away; `always` writes each before it is sent. */
  readonly mode: 'offline' | 'off' | 'always';
  /** ms that readings gather in memory before they are written. */
  readonly write_interval: number;
  /** Kept messages sent per second beside live ones. */
  readonly replay_rate: number;
  readonly replay_order: ReplayOrder;
}

/** A backlog that takes no longer than this at the replay rate goes before live readings, whatever the replay order, s. */
const CATCH_UP_S = 2;

/** A small backlog goes first, so that nothing overtakes after a short absence; a large one goes by the settings. */
export function orderFor(backlogMessages: number, { replay_rate, replay_order }: SpoolSettings): ReplayOrder {
  return backlogMessages <= replay_rate * CATCH_UP_S ? 'in-order' : replay_order;
}
