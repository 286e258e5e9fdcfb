// What stands on the terminal, from top to bottom: title, devices, what is behind their wires, what to try, what has happened.
// Pure. Where the terminal is low, what matters least goes first.

import { TRIES_HEADING, type Try, tryLine } from './introduction.js';
import { cut } from './live-table.js';

export interface ScreenParts {
  /** Lines that are always there. */
  readonly title: readonly string[];
  /** Made to fit already, with colours. */
  readonly table: readonly string[];
  /** Made to fit already, with colours. */
  readonly hardware: readonly string[];
  /** Best first. */
  readonly tries: readonly Try[];
  /** Latest last. */
  readonly notes: readonly string[];
}

export interface ScreenSize {
  readonly width: number;
  /** Lines that there are. */
  readonly height: number;
}

/** How much of the parts is shown. Room is kept for notes that are still to come: nothing jumps when they do. */
interface Layout {
  readonly notes: number;
  /** Commands; they have a heading. */
  readonly tries: number;
  readonly hasHardware: boolean;
  /** An empty line between the parts. */
  readonly hasGaps: boolean;
}

const ALL = 99;
const LAYOUTS: readonly Layout[] = [
  { notes: 5, tries: ALL, hasHardware: true, hasGaps: true },
  { notes: 3, tries: ALL, hasHardware: true, hasGaps: true },
  { notes: 2, tries: ALL, hasHardware: true, hasGaps: true },
  { notes: 2, tries: 4, hasHardware: true, hasGaps: true },
  { notes: 2, tries: 3, hasHardware: true, hasGaps: true },
  { notes: 2, tries: 2, hasHardware: true, hasGaps: true },
  { notes: 2, tries: 1, hasHardware: true, hasGaps: true },
  { notes: 2, tries: 1, hasHardware: true, hasGaps: false },
  { notes: 1, tries: 0, hasHardware: true, hasGaps: false },
  { notes: 1, tries: 0, hasHardware: false, hasGaps: false },
];
const LEAST: Layout = { notes: 0, tries: 0, hasHardware: false, hasGaps: false };

/** Notes at most. */
export const MAX_NOTES = Math.max(...LAYOUTS.map(({ notes }) => notes));

/** The lines, none wider than `width`; more than `height` only where title and table alone are higher. */
export function screenLines(parts: ScreenParts, size: ScreenSize): string[] {
  const fits = (layout: Layout): boolean => heightOf(parts, layout) <= size.height;
  const layout = LAYOUTS.find(fits) ?? LEAST;
  const blocks = blocksOf(parts, layout, size.width).filter((block) => block.length > 0);
  return blocks.flatMap((block, i) => (i > 0 && layout.hasGaps ? ['', ...block] : [...block]));
}

function blocksOf(parts: ScreenParts, layout: Layout, width: number): (readonly string[])[] {
  const narrow = (lines: readonly string[]): string[] => lines.map((line) => cut(line, width, 'keep-indent'));
  const tries = parts.tries.slice(0, layout.tries).map((one) => tryLine(one, width));
  return [
    narrow(parts.title),
    parts.table,
    layout.hasHardware ? parts.hardware : [],
    narrow(tries.length > 0 ? [TRIES_HEADING, ...tries] : []),
    narrow(layout.notes > 0 ? parts.notes.slice(-layout.notes) : []),
  ];
}

/** With room for as many notes as the layout has. */
function heightOf(parts: ScreenParts, layout: Layout): number {
  const heights = blocksOf({ ...parts, notes: [] }, layout, 0).map((block) => block.length);
  const filled = [...heights, layout.notes].filter((lines) => lines > 0);
  return filled.reduce((sum, lines) => sum + lines, 0) + (layout.hasGaps ? filled.length - 1 : 0);
}
