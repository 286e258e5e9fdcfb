// Keeps a board's figures in its shared memory, over the chips that a board has in its life: each reset makes a new one, which
// counts from 0.

import { CYCLES_PER_MS } from './atmega328p.js';
import type { Figure, SharedBoard } from './board-protocol.js';

/** What one chip has counted since its reset. */
export interface ChipCount {
  readonly cycles: number;
  readonly skippedCycles: number;
  readonly droppedBytes: number;
  readonly lostMs: number;
}

const SUMMED = ['simulatedMs', 'poweredMs', 'busyMs', 'skippedCycles', 'allCycles', 'lostMs', 'rxDropped'] as const;

export class BoardFigures {
  readonly #shared: SharedBoard;
  readonly #before = new Map<Figure, number>();
  #beganMs = 0;
  #busyMs = 0;

  constructor(shared: SharedBoard) {
    this.#shared = shared;
  }

  /** A chip begins. */
  begin(nowMs: number): void {
    for (const name of SUMMED) this.#before.set(name, this.#shared.figure(name));
    this.#beganMs = nowMs;
    this.#busyMs = 0;
  }

  /** The chip is where `count` says, after `busyMs` of more work. */
  note(count: ChipCount, nowMs: number, busyMs: number): void {
    this.#busyMs += busyMs;
    this.#shared.setFigure('cycles', count.cycles);
    this.#sum('simulatedMs', count.cycles / CYCLES_PER_MS);
    this.#sum('poweredMs', nowMs - this.#beganMs);
    this.#sum('busyMs', this.#busyMs);
    this.#sum('skippedCycles', count.skippedCycles);
    this.#sum('allCycles', count.cycles);
    this.#sum('lostMs', count.lostMs);
    this.#sum('rxDropped', count.droppedBytes);
  }

  #sum(name: Figure, value: number): void {
    this.#shared.setFigure(name, (this.#before.get(name) ?? 0) + value);
  }
}
