// Compares what a gateway writes to a replayed device with what was written when it was recorded: as one stream of bytes, since
// how it is cut into chunks is nobody's business. Holds only what one side is ahead of the other.

/** One side being ahead by more is a difference: they do not say the same any more. */
const MAX_AHEAD = 1024 * 1024;
/** What is shown of either side. */
const SHOWN_BYTES = 32;

export class OutCheck {
  /** Bytes found alike. */
  matched = 0;
  #expected: Buffer = Buffer.alloc(0);
  #actual: Buffer = Buffer.alloc(0);
  #difference: string | undefined;

  /** The recording says that these were written by now. */
  expect(bytes: Buffer): void {
    if (this.#difference !== undefined) return;
    this.#expected = Buffer.concat([this.#expected, bytes]);
    this.#compare();
  }

  /** The gateway has written these. */
  take(bytes: Buffer): void {
    if (this.#difference !== undefined) return;
    this.#actual = Buffer.concat([this.#actual, bytes]);
    this.#compare();
  }

  /** True while neither side lacks anything. */
  get isEven(): boolean {
    return this.#difference === undefined && this.#expected.length === 0 && this.#actual.length === 0;
  }

  /** False once a difference was found: nothing that still comes changes the result. */
  get isOpen(): boolean {
    return this.#difference === undefined;
  }

  /** The first difference in a sentence, at the end; undefined where there is none. */
  result(): string | undefined {
    if (this.#difference !== undefined) return this.#difference;
    if (this.#expected.length > 0) return this.#words('the gateway has not written', this.#expected);
    return this.#actual.length > 0 ? this.#words('the gateway has also written', this.#actual) : undefined;
  }

  #compare(): void {
    const common = Math.min(this.#expected.length, this.#actual.length);
    let same = 0;
    while (same < common && this.#expected[same] === this.#actual[same]) same += 1;
    this.matched += same;
    this.#expected = this.#expected.subarray(same);
    this.#actual = this.#actual.subarray(same);
    const ahead = Math.max(this.#expected.length, this.#actual.length);
    if (same < common || ahead > MAX_AHEAD) this.#difference = this.#both();
  }

  #both(): string {
    return `after ${this.matched} bytes: expected ${shown(this.#expected)}, the gateway wrote ${shown(this.#actual)}`;
  }

  #words(what: string, bytes: Buffer): string {
    return `after ${this.matched} bytes: ${what} ${bytes.length} bytes, ${shown(bytes)}`;
  }
}

function shown(bytes: Buffer): string {
  if (bytes.length === 0) return 'nothing';
  const text = JSON.stringify(bytes.toString('latin1', 0, SHOWN_BYTES));
  return bytes.length > SHOWN_BYTES ? `${text}...` : text;
}
