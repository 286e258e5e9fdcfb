// An accepted connection as the opener that a device group wants: it is open already, and cannot be opened again.

import type { Link, LinkOpener } from '../device/link.js';

export class AcceptedLink implements LinkOpener {
  readonly #link: Link;

  constructor(link: Link) {
    this.#link = link;
  }

  get name(): string {
    return this.#link.name;
  }

  open(): Promise<Link> {
    return Promise.resolve(this.#link);
  }
}
