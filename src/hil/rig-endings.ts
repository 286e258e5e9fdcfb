// What a rig has to end, in the order in which it was made.

type Ending = () => unknown;

export class Endings {
  readonly #endings: Ending[] = [];

  /** `end` may answer a promise. */
  add(end: Ending): void {
    this.#endings.push(end);
  }

  /** Ends everything, what was made last first, whatever fails; then throws the first error, if there was one. Once. */
  async run(): Promise<void> {
    const errors: unknown[] = [];
    for (const end of this.#endings.splice(0).reverse()) {
      try {
        await end();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
