// The last look at what `ferrule doctor` says: every secret of the config, by its value, wherever it got to. What the config
// shows is redacted before; this is for what others say, a broker that quotes a user's password for example.

import { type ConfigPath, hideCredentials } from '../config/problem.js';
import { redact } from '../config/redact.js';

/** Shorter ones would blacken half of the report. */
const SHORTEST = 4;

/** A function that blackens the secrets of a config in any text. `paths`: what was read with `!file`. */
export function blackener(config: unknown, paths: readonly ConfigPath[]): (text: string) => string {
  const secrets = [...new Set(secretsIn(config, redact(config, paths)))];
  const known = secrets
    .filter((secret) => secret.length >= SHORTEST)
    .flatMap((secret) => [...new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])])
    .sort((a, b) => b.length - a.length); // one may be part of another
  return (text) => known.reduce((left, secret) => left.replaceAll(secret, '***'), hideCredentials(text));
}

/** The texts that stand in `open` and not in `redacted`, which has the same shape. */
function secretsIn(open: unknown, redacted: unknown): string[] {
  if (typeof open === 'object' && open !== null && !Buffer.isBuffer(open)) {
    if (typeof redacted !== 'object' || redacted === null)
      return Object.values(open).flatMap((item) => secretsIn(item, '***'));
    const hidden = redacted as Readonly<Record<string, unknown>>; // a list has its indexes
    return Object.entries(open).flatMap(([key, item]) => secretsIn(item, hidden[key]));
  }
  if (open === redacted || (typeof open !== 'string' && typeof open !== 'number')) return [];
  if (redacted === '***') return linesOf(String(open));
  return typeof open === 'string' ? credentialsIn(open) : [];
}

/** A key in PEM has many lines, and may be quoted with any indentation. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return text.includes('\n') ? lines.filter((line) => line !== '' && !line.startsWith('-----')) : [text];
}

/** User name, password and telling parameters of a URL. */
function credentialsIn(text: string): string[] {
  if (!URL.canParse(text)) return [text];
  const { username, password, searchParams } = new URL(text);
  const shown = hideCredentials(text);
  const hidden = [...searchParams].filter(([key]) => shown.includes(`${key}=***`)).map(([, value]) => value);
  return [username, password, ...hidden].flatMap((part) => [part, decoded(part)]);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
