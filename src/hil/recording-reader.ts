// Reads a recording as a stream: a day of a fast line is larger than memory. Checks every line, and names file and line of what
// is wrong. A last line that breaks off (power was cut, disk full) is left out and told, since what stands before it is good.

import { createReadStream } from 'node:fs';
import {
  MAX_LINE,
  type Parsed,
  parseEntry,
  parseHeader,
  type RecordingEntry,
  RecordingError,
  type RecordingHeader,
} from './recording.js';

export interface Recording {
  readonly file: string;
  readonly header: RecordingHeader;
  /** From the start, each time anew. Rejects with RecordingError at a line that is wrong. */
  entries(): AsyncGenerator<RecordingEntry, void, void>;
}

export interface RecordingReaderOptions {
  /** Told in a sentence of what was left out: a torn last line. */
  readonly onTorn?: (sentence: string) => void;
}

/** Opens a recording and reads its header. Rejects with RecordingError, or the system's error if the file cannot be read. */
export async function openRecording(file: string, options: RecordingReaderOptions = {}): Promise<Recording> {
  const lines = linesOf(file);
  const first = await lines.next();
  await lines.return();
  if (first.done) throw new RecordingError(file, 1, 'the file is empty; expected the header of a recording');
  const header = checked(file, 1, parseHeader(first.value.text));
  return { file, header, entries: () => entriesOf(file, options) };
}

interface Line {
  readonly text: string;
  readonly number: number;
  /** False: the file ends without a newline after it. */
  readonly isWhole: boolean;
}

async function* entriesOf(
  file: string,
  { onTorn }: RecordingReaderOptions,
): AsyncGenerator<RecordingEntry, void, void> {
  let last = 0;
  for await (const { text, number, isWhole } of linesOf(file)) {
    if (number === 1 || text === '') continue;
    const parsed = parseEntry(text);
    if (!parsed.ok && !isWhole) {
      onTorn?.(`${file}:${number}: the last line breaks off and was left out`);
      return;
    }
    const entry = checked(file, number, parsed);
    if (entry.t < last) throw new RecordingError(file, number, `"t" goes back, from ${last} to ${entry.t}`);
    last = entry.t;
    yield entry;
  }
}

function checked<T>(file: string, line: number, parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  throw new RecordingError(file, line, parsed.fault);
}

/** Not `readline`: that puts no bound on a line. */
async function* linesOf(file: string): AsyncGenerator<Line, void, void> {
  let rest = '';
  let number = 0;
  for await (const chunk of createReadStream(file, { encoding: 'utf8' })) {
    const texts = `${rest}${chunk}`.split('\n');
    rest = texts.pop() ?? '';
    for (const text of texts) yield { text: text.replace(/\r$/, ''), number: ++number, isWhole: true };
    if (rest.length > MAX_LINE) throw new RecordingError(file, number + 1, `longer than ${MAX_LINE} characters`);
  }
  if (rest !== '') yield { text: rest, number: number + 1, isWhole: false };
}
