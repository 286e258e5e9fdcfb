// A recording of what went over the line of one device: text, one JSON object per line, so that it can be cut, read and made
// by hand.
//
//   {"ferrule_recording":1,"device":"scale","driver":"lines","link":"serial:/dev/ttyUSB0?baud_rate=9600",
//    "framing":{"type":"line","delimiter":"\n"},"options":{},"started_at":"2026-01-02T03:04:05.678Z"}
//   {"t":0,"note":"online","reason":"opened"}
//   {"t":120456,"d":"in","hex":"31322e35206b670d0a"}         a chunk as it came from the device
//   {"t":480003,"d":"out","hex":"544152450a"}                a chunk as it was written to the device
//   {"t":900000,"note":"dropped","dropped":4096}             so many bytes are missing here
//   {"t":950000,"note":"lost","reason":"unplugged"}
//
// The first line is the header; only `ferrule_recording` and `device` must be there, and other keys may be. `t` is microseconds
// since the start, never going back. Two more notes tell what may be missing: `missed` (messages between gateway and recorder were
// lost) and `restarted` (the gateway, or its tap). Unknown notes and keys mean nothing and are no error. Hex, because it can be read and
// searched; a recording compresses to a tenth.

import { z } from 'zod';
import { FerruleError } from '../core/errors.js';

/** Longest line of a recording, characters: a chunk of 256 KiB. */
export const MAX_LINE = 512 * 1024 + 1024;

const headerSchema = z.looseObject({
  ferrule_recording: z.literal(1),
  device: z.string(),
  driver: z.string().optional(),
  /** Where the bytes came from; without credentials. */
  link: z.string().optional(),
  /** As in a config: to be checked by `framingSchema`. */
  framing: z.looseObject({ type: z.string() }).optional(),
  options: z.record(z.string(), z.unknown()).optional(),
  /** ISO 8601. */
  started_at: z.string().optional(),
});

/** The first line. */
export type RecordingHeader = z.output<typeof headerSchema>;

/** A chunk that went over the line. */
export interface ChunkEntry {
  /** Microseconds since the start. */
  readonly t: number;
  /** `in`: from the device. */
  readonly d: 'in' | 'out';
  readonly bytes: Buffer;
}

/** Something that happened to the line: `online`, `lost`, `dropped`, `missed`, `restarted`, or a word of later versions. */
export interface NoteEntry {
  readonly t: number;
  readonly note: string;
  /** With `dropped`: bytes that are missing here. */
  readonly dropped?: number;
  readonly reason?: string;
}

export type RecordingEntry = ChunkEntry | NoteEntry;

/** A file that is no recording, or a line in it that is wrong; the message begins with `file:line:`. */
export class RecordingError extends FerruleError {
  constructor(file: string, line: number, fault: string, options?: { cause?: unknown }) {
    super('bad-recording', `${file}:${line}: ${fault}`, options);
  }
}

/** What a line holds, or in words what is wrong with it. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: string };

/** Reads the first line. */
export function parseHeader(line: string): Parsed<RecordingHeader> {
  const json = parseObject(line);
  if (!json.ok) return { ok: false, fault: `${NO_HEADER}: ${json.fault}` };
  const version = json.value.ferrule_recording;
  if (typeof version === 'number' && version > 1) {
    return { ok: false, fault: `a recording of version ${version}; this ferrule reads version 1` };
  }
  const header = headerSchema.safeParse(json.value);
  if (header.success) return { ok: true, value: header.data };
  const [issue] = header.error.issues;
  return { ok: false, fault: `${NO_HEADER}: ${issue?.path.join('.')}: ${issue?.message}` };
}

const NO_HEADER = 'expected the header of a recording, {"ferrule_recording":1,"device":...}';

/** Reads any other line. */
export function parseEntry(line: string): Parsed<RecordingEntry> {
  const json = parseObject(line);
  if (!json.ok) return json;
  const { t, d, hex, note, dropped, reason } = json.value;
  if (typeof t !== 'number' || !Number.isSafeInteger(t) || t < 0) {
    return { ok: false, fault: `"t": expected microseconds since the start, got ${shown(t)}` };
  }
  if (typeof note === 'string') {
    const numbers = typeof dropped === 'number' ? { dropped } : {};
    return { ok: true, value: { t, note, ...numbers, ...(typeof reason === 'string' && { reason }) } };
  }
  if (d !== 'in' && d !== 'out') return { ok: false, fault: `"d": expected "in" or "out", got ${shown(d)}` };
  const bytes = typeof hex === 'string' ? bytesOf(hex) : undefined;
  if (bytes === undefined)
    return { ok: false, fault: `"hex": expected pairs of hexadecimal digits, got ${shown(hex)}` };
  return { ok: true, value: { t, d, bytes } };
}

/** One line of a recording, with its newline. */
export function formatEntry(entry: RecordingEntry): string {
  const line = 'bytes' in entry ? { t: entry.t, d: entry.d, hex: entry.bytes.toString('hex') } : entry;
  return `${JSON.stringify(line)}\n`;
}

/** The first line, with its newline. */
export function formatHeader(header: RecordingHeader): string {
  return `${JSON.stringify(header)}\n`;
}

function parseObject(line: string): Parsed<Readonly<Record<string, unknown>>> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ok: true, value: { ...value } };
    return { ok: false, fault: `expected a JSON object, got ${shown(value)}` };
  } catch {
    return { ok: false, fault: `expected a JSON object, got ${shown(line)}` };
  }
}

/** Buffer.from stops at the first character that is no digit, without a word. */
function bytesOf(hex: string): Buffer | undefined {
  const bytes = Buffer.from(hex, 'hex');
  return bytes.length * 2 === hex.length ? bytes : undefined;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 60);
}
