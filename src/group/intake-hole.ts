// Bytes of a line that cannot wait and that find no room, not even before framing: the hole that they leave is noted in its place, so
// that what came before it is not joined to what comes behind it, and the tail of a frame behind it is not taken for one.

import type { DeviceContext } from './device-context.js';

type HoleContext = Pick<DeviceContext, 'received' | 'counters' | 'log' | 'tellChange'>;

/** Counts bytes that are dropped; `isFramed`: see IntakeHole. */
export function dropIntake(
  hole: IntakeHole | undefined,
  ctx: HoleContext,
  isFramed: boolean,
  bytes: number,
): IntakeHole {
  const goingOn = hole ?? new IntakeHole(ctx, isFramed);
  goingOn.drop(bytes);
  return goingOn;
}

export class IntakeHole {
  readonly #ctx: HoleContext;
  readonly #isFramed: boolean;
  /** Nothing has been taken since the last bytes were dropped. */
  #isOpen = false;
  #isTold = false;

  /** `isFramed`: there are frames to be cut; a session makes of its bytes what it likes, and would end. */
  constructor(ctx: HoleContext, isFramed: boolean) {
    this.#ctx = ctx;
    this.#isFramed = isFramed;
  }

  drop(bytes: number): void {
    const { received, counters } = this.#ctx;
    counters.droppedBytes += bytes;
    if (this.#isOpen) return;
    this.#isOpen = true;
    if (this.#isFramed) received.put({ kind: 'hole' });
    this.#ctx.tellChange();
    this.#tell();
  }

  /** Bytes have been taken again. */
  end(): void {
    this.#isOpen = false;
  }

  #tell(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#ctx.log.warn(
      { thread: 'receive' },
      'bytes come in faster than they are decoded, and a serial line without rtscts cannot wait: they are dropped (dropped_bytes in bridge/devices); make its driver faster, or set isolation: worker',
    );
  }
}
