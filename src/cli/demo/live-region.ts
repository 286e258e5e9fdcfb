// Some lines at the end of a terminal's output that are rewritten in place. One write per change, lines that did not change are
// passed over, nothing is erased before it is overwritten: no flicker. The cursor rests below the region, where the terminal
// echoes ^C, and is hidden until `end`.

/** The part of a terminal stream that is needed. */
export interface Terminal {
  write(text: string): unknown;
  readonly columns: number;
  readonly rows: number;
}

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
/** A wide character that does not fit must not wrap: a wrapped line would put all those below it out of place. */
const WRAP_OFF = '\x1b[?7l';
const WRAP_ON = '\x1b[?7h';
const CLEAR_TO_LINE_END = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const HOME_AND_CLEAR = '\x1b[H\x1b[2J';

export class LiveRegion {
  readonly #terminal: Terminal;
  #shown: readonly string[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    terminal.write(HIDE_CURSOR);
  }

  /** Puts `lines` in place of those before; what is more than the terminal's height is cut off below. */
  paint(lines: readonly string[]): void {
    const next = lines.slice(0, Math.max(1, this.#terminal.rows - 1));
    const before = this.#shown;
    if (next.length === before.length && next.every((line, i) => line === before[i])) return;
    const up = before.length > 0 ? `\x1b[${before.length}A` : '';
    const body = next.map((line, i) => (line === before[i] ? '\n' : `${line}${CLEAR_TO_LINE_END}\n`)).join('');
    this.#terminal.write(`${WRAP_OFF}\r${up}${body}${CLEAR_BELOW}${WRAP_ON}`);
    this.#shown = next;
  }

  /** The terminal has another size and has moved everything: begins anew at the top. */
  restart(): void {
    this.#shown = [];
    this.#terminal.write(HOME_AND_CLEAR);
  }

  /** Leaves the last lines where they are and gives the cursor back. */
  end(): void {
    this.#terminal.write(`\r${CLEAR_BELOW}${SHOW_CURSOR}`);
  }
}
