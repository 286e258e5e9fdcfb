// The demo on a terminal: one screen that is rewritten in place (live-screen.ts says what stands where). Painted at most four
// times a second, and only what has changed.

import type { Clock, Timer } from '../../core/clock.js';
import { ARDUINO } from './demo-config.js';
import { type DeviceBoard, type DeviceRow, isUp } from './device-board.js';
import { hardwareLines } from './hardware-lines.js';
import type { Introduction } from './introduction.js';
import type { LogLine } from './line-log.js';
import { LiveRegion, type Terminal } from './live-region.js';
import { MAX_NOTES, screenLines } from './live-screen.js';
import { brief, type TableRow, tableLines } from './live-table.js';
import type { View } from './view.js';
import type { PlantView } from './virtual-plant.js';

const PAINT_EVERY_MS = 250;
/** Rates fall although nothing comes: looked at this often. */
const LOOK_EVERY_MS = 1000;
/** A terminal that does not know its size says 0. */
const DEFAULT_WIDTH = 80;
const DEFAULT_HEIGHT = 24;

/** A terminal that tells when its size has changed, as process.stdout does. */
export interface ResizableTerminal extends Terminal {
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

export interface LiveViewOptions {
  readonly clock: Clock;
  readonly terminal: ResizableTerminal;
  readonly board: DeviceBoard;
  /** How it is with the devices themselves. */
  readonly plant: () => PlantView;
  readonly hasColour: boolean;
  /** Prints what must not be lost, once the table is done. */
  readonly err: (line: string) => void;
}

export class LiveView implements View {
  readonly #options: LiveViewOptions;
  readonly #terminal: Terminal;
  readonly #region: LiveRegion;
  readonly #onResize = (): void => this.#restart();
  #intro: Introduction = { early: [], title: '', tries: [] };
  #notes: string[] = [];
  #stacks: string[] = [];
  #timer: Timer | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #paintedAt = Number.NEGATIVE_INFINITY;
  #hasEnded = false;

  constructor(options: LiveViewOptions) {
    const { terminal } = options;
    this.#options = options;
    this.#terminal = {
      write: (text) => terminal.write(text),
      get columns() {
        return terminal.columns || DEFAULT_WIDTH;
      },
      get rows() {
        return terminal.rows || DEFAULT_HEIGHT;
      },
    };
    this.#region = new LiveRegion(this.#terminal);
    terminal.on('resize', this.#onResize);
  }

  intro(intro: Introduction): void {
    this.#intro = intro;
    this.#paintSoon(0);
  }

  happened(happenings: Parameters<View['happened']>[0]): void {
    for (const happening of happenings) {
      if (happening.kind === 'note') this.#note(`${happening.device}: ${happening.text}`);
    }
    this.#paintSoon(PAINT_EVERY_MS);
  }

  /** It can be seen: no words are needed. */
  hardware(): void {
    this.#paintSoon(PAINT_EVERY_MS);
  }

  log({ level, text, stack }: LogLine): void {
    this.#note(level === 'info' ? text : `${level}: ${text}`);
    if (stack !== undefined) this.#stacks = [...this.#stacks, `${text}\n${stack}`].slice(-MAX_NOTES);
    this.#paintSoon(PAINT_EVERY_MS);
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#paint();
    this.#hasEnded = true;
    this.#timer?.cancel();
    this.#options.terminal.off('resize', this.#onResize);
    this.#region.end();
    for (const stack of this.#stacks) this.#options.err(stack);
  }

  #note(text: string): void {
    const at = new Date(this.#options.clock.wall()).toTimeString().slice(0, 8);
    this.#notes = [...this.#notes, `${at} ${text}`].slice(-MAX_NOTES);
  }

  /** Paints within `ms`, but never sooner after the last time than the pace allows. */
  #paintSoon(ms: number): void {
    if (this.#hasEnded) return;
    const { clock } = this.#options;
    const now = clock.now();
    const dueAt = Math.max(now + (ms === LOOK_EVERY_MS ? ms : 0), this.#paintedAt + PAINT_EVERY_MS);
    if (dueAt >= this.#dueAt) return;
    this.#timer?.cancel();
    this.#dueAt = dueAt;
    this.#timer = clock.after(dueAt - now, () => this.#paint());
  }

  #paint(): void {
    if (this.#hasEnded) return;
    this.#timer?.cancel();
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#paintedAt = this.#options.clock.now();
    this.#region.paint(this.#lines());
    this.#paintSoon(LOOK_EVERY_MS);
  }

  #restart(): void {
    this.#region.restart();
    this.#paint();
  }

  #lines(): string[] {
    const { board, clock, plant, hasColour } = this.#options;
    // The last column stays free: clearing to the end of the line would erase what stands there.
    const [width, height] = [this.#terminal.columns - 1, this.#terminal.rows - 1];
    const { early, title, tries } = this.#intro;
    const [now, wall] = [clock.now(), clock.wall()];
    const rows = board.rows();
    const arduino = rows.find(({ name }) => name === ARDUINO);
    const table = tableLines(
      rows.map((row) => tableRow(row, rows, now, wall)),
      { width, hasColour },
    );
    const hardware = hardwareLines(plant(), arduino, { width, hasColour });
    return screenLines({ title: [title, ...early], table, hardware, tries, notes: this.#notes }, { width, height });
  }
}

function tableRow(row: DeviceRow, all: readonly DeviceRow[], now: number, wall: number): TableRow {
  const { name, link, state, rate } = row;
  const perSecond = isUp(state) ? rate.perSecond(now) : 0;
  const connections = all.filter((other) => other.name.startsWith(`${name}/`)).length;
  return {
    device: name,
    link,
    state,
    rate: perSecond === 0 ? '' : perSecond.toFixed(1),
    last: isUp(state)
      ? brief(row.last) || (connections === 0 ? '' : `connections: ${connections}`)
      : whyAway(row, wall),
  };
}

function whyAway({ awaySince, reason }: DeviceRow, wall: number): string {
  return awaySince === undefined ? reason : `away ${Math.max(0, Math.round((wall - awaySince) / 1000))} s: ${reason}`;
}
