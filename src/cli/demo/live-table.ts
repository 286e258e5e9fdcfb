// The rows of the board as lines of text that fit a terminal: pure, so a test reads them like a page. What has no room is
// left out column by column: first the link, then the rate.

/** A row, ready to be shown. */
export interface TableRow {
  readonly device: string;
  readonly link: string;
  readonly state: string;
  readonly rate: string;
  /** The last reading, or while there is no link the reason. */
  readonly last: string;
}

type Column = keyof TableRow;

const HEADER: TableRow = { device: 'DEVICE', link: 'LINK', state: 'STATE', rate: 'PER S', last: 'LAST READING' };
const MAX_WIDTH: Readonly<Record<Column, number>> = { device: 20, link: 24, state: 11, rate: 6, last: 4096 };
/** Columns whose text changes all the time keep their width, so that nothing jumps. */
const MIN_WIDTH: Readonly<Record<Column, number>> = { device: 0, link: 0, state: 11, rate: 5, last: 0 };
/** Widest first: the layout taken is the first that leaves this much for the last column. */
const LAYOUTS: readonly (readonly Column[])[] = [
  ['device', 'link', 'state', 'rate', 'last'],
  ['device', 'state', 'rate', 'last'],
  ['device', 'state', 'last'],
];
const LEAST_FOR_LAST = 20;
const GAP = 2;

/** Colours of states (SGR codes): green lives, yellow waits, red has given up for now. */
const STATE_COLOUR: Readonly<Record<string, number>> = {
  online: 32,
  connecting: 33,
  'backing-off': 33,
  silent: 33,
  parked: 31,
};

export interface TableLook {
  readonly width: number;
  readonly hasColour: boolean;
}

/** The table with its header, one line a row, none wider than `width`. */
export function tableLines(rows: readonly TableRow[], { width, hasColour }: TableLook): string[] {
  const widths = widthsOf([HEADER, ...rows]);
  const columns = LAYOUTS.find((layout) => width - usedBy(layout, widths) >= LEAST_FOR_LAST) ?? LAYOUTS.at(-1) ?? [];
  const line = (row: TableRow, paint: (text: string, column: Column) => string): string => {
    let left = width;
    const cells = columns.map((column) => {
      const wanted = column === 'last' ? left : Math.min(widths[column], left);
      left = Math.max(0, left - wanted - GAP);
      const text = cut(row[column], wanted);
      return paint(column === 'rate' ? text.padStart(wanted) : column === 'last' ? text : text.padEnd(wanted), column);
    });
    return cells.join(' '.repeat(GAP)).trimEnd();
  };
  const head = line(HEADER, (text) => text);
  return [hasColour ? `\x1b[2m${head}\x1b[0m` : head, ...rows.map((row) => line(row, painter(row, hasColour)))];
}

/** Cut to `width` characters, with an ellipsis where something was cut; control characters become spaces. */
export function cut(text: string, width: number, indent?: 'keep-indent'): string {
  const spaced = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ').trimEnd();
  const clean = indent === undefined ? spaced.trimStart() : spaced;
  const characters = [...clean];
  if (characters.length <= width) return clean;
  return width <= 0 ? '' : `${characters.slice(0, width - 1).join('')}…`;
}

/** `8.1`: ms as seconds, for people. */
export function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

/** A reading in few characters: of a JSON object its values with their names, without times, else the text itself. */
export function brief(payload: string): string {
  if (!payload.startsWith('{')) return payload;
  try {
    return leaves(JSON.parse(payload)).join(' ');
  } catch {
    return payload;
  }
}

const ISO_TIME = /^\d{4}-\d\d-\d\dT/;
const MAX_DEPTH = 4;

function leaves(value: object, depth = 0): string[] {
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) => {
    if (typeof inner === 'object' && inner !== null && depth < MAX_DEPTH) return leaves(inner, depth + 1);
    if (typeof inner === 'string' && ISO_TIME.test(inner)) return [];
    return [`${name} ${inner}`];
  });
}

function widthsOf(rows: readonly TableRow[]): Record<Column, number> {
  const widest = (column: Column): number =>
    Math.min(MAX_WIDTH[column], Math.max(MIN_WIDTH[column], ...rows.map((row) => [...row[column]].length)));
  return { device: widest('device'), link: widest('link'), state: widest('state'), rate: widest('rate'), last: 0 };
}

function usedBy(columns: readonly Column[], widths: Readonly<Record<Column, number>>): number {
  return columns.reduce((sum, column) => sum + (column === 'last' ? 0 : widths[column] + GAP), 0);
}

function painter(row: TableRow, hasColour: boolean): (text: string, column: Column) => string {
  const colour = STATE_COLOUR[row.state];
  return (text, column) =>
    hasColour && colour !== undefined && column === 'state' ? `\x1b[${colour}m${text}\x1b[0m` : text;
}
