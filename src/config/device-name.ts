// Names of devices and of the gateway. They become parts of MQTT topics, so they must not clash with topic syntax or
// with the words that Ferrule itself puts into topics.

/** Words that the topics below `<base>` use themselves (DESIGN section 5); no segment of a device's name may be one. */
export const RESERVED_SEGMENTS: readonly string[] = [
  'bridge',
  'set',
  'get',
  'write',
  'response',
  'availability',
  'dead_letter',
  'tap',
  'event',
];

const MAX_NAME = 200;

/** What is wrong with a device's name, as a phrase after the name ("contains ..."); undefined if nothing. */
export function deviceNameTrouble(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name.length > MAX_NAME) return `is longer than ${MAX_NAME} characters`;
  const wildcard = /[+#]/.exec(name)?.[0];
  if (wildcard !== undefined) return `contains "${wildcard}", a wildcard of MQTT`;
  if (hasControlCharacter(name)) return 'contains a control character';
  if (name.startsWith('$')) return 'begins with "$", which brokers keep for themselves';
  return segmentTrouble(name.split('/'));
}

function segmentTrouble(segments: readonly string[]): string | undefined {
  if (segments.includes('')) return 'has an empty segment (no "/" at the ends, no "//")';
  if (segments.includes('..') || segments.includes('.')) return 'has a segment "." or ".."';
  const reserved = segments.find((segment) => RESERVED_SEGMENTS.includes(segment));
  if (reserved !== undefined) return `has the segment "${reserved}", a word that Ferrule's topics use themselves`;
  return undefined;
}

/** Control characters, and lone surrogates, which are no UTF-8. */
export function hasControlCharacter(text: string): boolean {
  return /[\p{Cc}\p{Cs}]/u.test(text);
}

/** A host name or device id made fit for one topic segment. */
export function topicSegment(text: string): string {
  const clean = text
    .trim()
    .replaceAll(/[+#/\s\p{Cc}\p{Cs}]+/gu, '-')
    .replace(/^\$+/, '')
    .slice(0, 64);
  return clean === '' ? 'gateway' : clean;
}
