// A bound on what the embedded broker keeps for sessions that are away (`clean: false`, QoS 1). Its store is this process's memory
// and has none of its own: a Node-RED that is stopped for a day would cost the gateway all it has.

import type { Log } from '../core/log.js';

/** As many as mosquitto keeps unless it is told otherwise. */
const MAX_KEPT = 1000;

/** What of the broker's store is watched. */
export interface KeepingStore {
  outgoingEnqueueCombi(subs: readonly { readonly clientId: string }[], packet: unknown): Promise<unknown>;
  outgoingClearMessageId(client: { readonly id: string }, packet: unknown): Promise<unknown>;
}

export interface AwayLimitOptions {
  readonly store: KeepingStore;
  /** Who is connected is bounded by its own connection. */
  readonly isConnected: (clientId: string) => boolean;
  readonly log: Log;
}

/** From now on the newest messages for a session that is away, beyond a thousand, are not kept; said once each time it is away. */
export function limitAway({ store, isConnected, log }: AwayLimitOptions): void {
  const kept = new Map<string, number>();
  const told = new Set<string>();
  const enqueue = store.outgoingEnqueueCombi.bind(store);
  const clear = store.outgoingClearMessageId.bind(store);
  const mayKeep = ({ clientId }: { readonly clientId: string }): boolean => {
    const isThere = isConnected(clientId);
    if (isThere) told.delete(clientId);
    if (isThere || (kept.get(clientId) ?? 0) < MAX_KEPT) return true;
    if (!told.has(clientId)) {
      const words = `${MAX_KEPT} messages wait for "${clientId}", which is away: what comes now is not kept for it`;
      log.warn({ client: clientId }, `embedded broker: ${words}`);
    }
    told.add(clientId);
    return false;
  };
  store.outgoingEnqueueCombi = (subs, packet) => {
    const taken = subs.filter(mayKeep);
    for (const { clientId } of taken) kept.set(clientId, (kept.get(clientId) ?? 0) + 1);
    return enqueue(taken, packet);
  };
  store.outgoingClearMessageId = async (client, packet) => {
    const cleared = await clear(client, packet);
    const left = (kept.get(client.id) ?? 0) - (cleared === undefined ? 0 : 1);
    if (left > 0) kept.set(client.id, left);
    else kept.delete(client.id);
    return cleared;
  };
}
