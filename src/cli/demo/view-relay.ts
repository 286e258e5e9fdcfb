// Log lines come before there is a view: kept for it.

import type { LogLine } from './line-log.js';
import type { View } from './view.js';

export class ViewRelay {
  #view: View | undefined;
  #early: LogLine[] = [];

  log(line: LogLine): void {
    if (this.#view) this.#view.log(line);
    else this.#early.push(line);
  }

  /** From now on they are shown there. */
  to(view: View): void {
    this.#view = view;
    for (const line of this.#early.splice(0)) view.log(line);
  }
}
