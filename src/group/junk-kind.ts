// Junk by kind: the reasons of framers and decoders without their details, so that they can be counted for ever.

export const JUNK_KINDS = [
  'too-long',
  'bad-checksum',
  'bad-length',
  'bad-escape',
  'no-start',
  'partial',
  'rejected',
  'bad-reading',
  'crashed',
  'skipped',
  'other',
] as const;

export type JunkKind = (typeof JUNK_KINDS)[number];

/** How often each kind has come; those that never came are not there. */
export type JunkCounts = Partial<Record<JunkKind, number>>;

/** The kind of a reason: `bad-reading: not a number` -> `bad-reading`. */
export function junkKindOf(reason: string): JunkKind {
  const end = reason.indexOf(':');
  const word = end === -1 ? reason : reason.slice(0, end);
  return JUNK_KINDS.find((kind) => kind === word) ?? 'other';
}

/** Adds one, or `count`, of a kind. */
export function countJunk(counts: JunkCounts, kind: JunkKind, count = 1): void {
  counts[kind] = (counts[kind] ?? 0) + count;
}
