// Counts what the outbox had to discard, per device and reason. Handed over and begun anew at each report, so that it does
// not grow with the number of peers that ever connected.

/**
 * Why messages were discarded: no room; larger than the broker's Maximum Packet Size; refused by the broker with an error
 * code in its PUBACK (MQTT 5: not authorized, quota exceeded, ...).
 */
export type DropReason = (typeof DROP_REASONS)[number];

export const DROP_REASONS = ['full', 'too-large', 'refused'] as const;

/** The same in words. */
export const DROP_CAUSES: Readonly<Record<DropReason, string>> = {
  full: 'too many answers to commands wait for the broker',
  'too-large': 'larger than the broker takes (its Maximum Packet Size)',
  refused: 'the broker refuses them; look in its log, check its access rules',
};

/** Messages discarded, by reason. */
export type DropCounts = Record<DropReason, number>;

export class DropCounter {
  #total = 0;
  #perDevice = new Map<string, DropCounts>();

  /** Messages counted since the counter was made. */
  get total(): number {
    return this.#total;
  }

  count(device: string, reason: DropReason, messages: number): void {
    this.#total += messages;
    const counts = this.#perDevice.get(device) ?? { full: 0, 'too-large': 0, refused: 0 };
    counts[reason] += messages;
    this.#perDevice.set(device, counts);
  }

  /** The counts since the last call. */
  take(): Map<string, DropCounts> {
    const taken = this.#perDevice;
    this.#perDevice = new Map();
    return taken;
  }
}
