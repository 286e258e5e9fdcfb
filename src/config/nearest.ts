// Nearest known word for a mistyped one: "did you mean ...?".

/** The candidate with the fewest edits (insert, delete, replace, swap neighbours) from `word`, if it is near enough to be meant. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const typed = squash(word);
  let best: string | undefined;
  let bestEdits = Math.max(1, Math.floor(typed.length / 3)) + 1;
  for (const candidate of candidates) {
    const edits = distance(typed, squash(candidate));
    if (edits < bestEdits) [best, bestEdits] = [candidate, edits];
  }
  return best;
}

/** ` did you mean "x"?`-hint, else the list of what is known. */
export function suggestion(word: string, known: readonly string[]): string | undefined {
  const near = nearest(word, known);
  if (near !== undefined) return `did you mean "${near}"?`;
  return known.length === 0 ? undefined : `known are ${known.join(', ')}`;
}

/** baudRate, baud-rate and BAUDRATE all mean baud_rate. */
function squash(word: string): string {
  return word.toLowerCase().replaceAll(/[-_ ]/g, '').slice(0, 64);
}

/** Optimal string alignment distance, one row at a time. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1;
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current[column] = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + cost,
        isSwap ? at(beforeLast, column - 2) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    beforeLast = last;
    last = current;
  }
  return at(last, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
