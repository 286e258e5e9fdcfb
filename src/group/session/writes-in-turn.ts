// A link takes one write at a time. Where a session writes beside the send thread, this keeps them in line: each write begins when
// the one before has settled.

import type { Link, LinkHandlers, LinkOpener, WriteOutcome } from '../../device/link.js';

/** The same opener; what it opens may be written to by several. */
export function writesInTurn(opener: LinkOpener): LinkOpener {
  return {
    get name() {
      return opener.name;
    },
    open: async (signal) => new TurnLink(await opener.open(signal)),
    ...(opener.changed && { changed: opener.changed.bind(opener) }),
  };
}

class TurnLink implements Link {
  readonly #link: Link;
  #last: Promise<unknown> = Promise.resolve();

  constructor(link: Link) {
    this.#link = link;
  }

  get name(): string {
    return this.#link.name;
  }

  get canPause(): boolean {
    return this.#link.canPause;
  }

  get isSerial(): boolean {
    return this.#link.isSerial;
  }

  attach(handlers: LinkHandlers): void {
    this.#link.attach(handlers);
  }

  write(bytes: Uint8Array): Promise<WriteOutcome> {
    const write = this.#last.then(() => this.#link.write(bytes));
    this.#last = write;
    return write;
  }

  pause(): void {
    this.#link.pause();
  }

  resume(): void {
    this.#link.resume();
  }

  finishIntake(maxMs: number): Promise<void> {
    return this.#link.finishIntake(maxMs);
  }

  close(): Promise<void> {
    return this.#link.close();
  }
}
