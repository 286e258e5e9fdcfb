// Bytes as text that a terminal and a JSON file bear, whatever they are: printable ASCII as it is, all else escaped, so that
// two different byte strings never look the same.

const NAMED: Readonly<Record<number, string>> = { 9: '\\t', 10: '\\n', 13: '\\r', 92: '\\\\' };

/** `12.5 °C\r\n` in latin1 -> `12.5 \xb0C\r\n`, as written in a string literal. */
export function printable(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += NAMED[byte] ?? (isPlain(byte) ? String.fromCharCode(byte) : hex(byte));
  return text;
}

function isPlain(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f;
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}
