// Memory that is used again and again: whoever has bytes on loan says when he has done with them, and the last one gives the memory
// back. Who forgets to say so harms nobody: the memory is the garbage collector's then. Who says it too early, or twice, makes
// others read wrong bytes; so only where nobody else can have the bytes any more.
//
//   made (1) -> share (2) -> done (1) -> done (0): given back

export class Loan {
  readonly #giveBack: () => void;
  #users = 1;

  /** With one user. `giveBack` is called once, when the last one has done. */
  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  /** One user more. */
  share(): this {
    this.#users += 1;
    return this;
  }

  /** A user does not need the bytes any more. */
  done(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#giveBack();
  }
}
