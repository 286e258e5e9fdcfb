// The plug of a virtual line, as `sim`, a test or a replay moves it, possibly at the same time. Moves are made one after the other, in
// the order in which they were asked for: so a line is never opened twice, and nothing is opened behind the back of `close`.

export interface PlugMoves {
  /** Opens the line. Only called while the plug is out. */
  readonly putIn: () => Promise<void>;
  /** Closes it. Only called while the plug is in. */
  readonly pull: () => Promise<void>;
}

export class Plug {
  readonly #moves: PlugMoves;
  #isIn = false;
  #isClosed = false;
  #lastMove: Promise<void> = Promise.resolve();

  /** Begins with the plug out. */
  constructor(moves: PlugMoves) {
    this.#moves = moves;
  }

  /** Rejects as the opening does; the plug is out then. Does nothing once `close` was called. Idempotent. */
  putIn(): Promise<void> {
    return this.#next(async () => {
      if (this.#isIn || this.#isClosed) return;
      await this.#moves.putIn();
      this.#isIn = true;
    });
  }

  /** Idempotent. */
  pull(): Promise<void> {
    return this.#next(async () => {
      if (!this.#isIn) return;
      this.#isIn = false;
      await this.#moves.pull();
    });
  }

  /** Pulls it for good. Idempotent. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.pull();
  }

  #next(move: () => Promise<void>): Promise<void> {
    const moved = this.#lastMove.then(move);
    this.#lastMove = moved.catch(() => {}); // told to who asked for it
    return moved;
  }
}
