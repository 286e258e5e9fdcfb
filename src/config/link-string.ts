// The string forms of links. `parseLink` gives the object as a user would have written it, unchecked: ranges, unknown keys
// and wrong values are the schema's business, so that both forms get the same errors.

import type { LinkInput } from './link-schema.js';

export type ParsedLink =
  | { readonly ok: true; readonly link: Record<string, string | number | boolean> }
  | { readonly ok: false; readonly expected: string };

type Target = { readonly [key: string]: string | number | boolean } | string;

const FORMS = 'serial:/dev/..., usb:VID:PID, tcp://host:port or tcp-listen://host:port';

/** `serial:PATH?key=value&...`, `usb:VID:PID?...`, `tcp://HOST:PORT?...`, `tcp-listen://HOST:PORT?...`, or a bare `/dev/...`. */
export function parseLink(text: string): ParsedLink {
  const { scheme, rest } = splitScheme(text);
  const [before, query] = cut(rest, '?');
  const target = parseTarget(scheme, before);
  if (typeof target === 'string') return { ok: false, expected: target };
  return addQuery(target, query);
}

function splitScheme(text: string): { scheme: string; rest: string } {
  if (text.startsWith('/')) return { scheme: 'serial', rest: text };
  const [scheme, rest] = cut(text, ':');
  return { scheme, rest: rest ?? '' };
}

/** The address part as keys; or, when it is none, what was expected. */
function parseTarget(scheme: string, address: string): Target {
  switch (scheme) {
    case 'serial': {
      const path = decode(address);
      return path ? { type: 'serial', path } : 'serial:PATH, such as serial:/dev/ttyUSB0';
    }
    case 'usb':
      return address === '' ? 'usb:VID:PID, such as usb:0403:6001' : { type: 'usb', id: address };
    case 'tcp':
    case 'tcp-listen':
      return parseHostPort(scheme, address);
    default:
      return `a link: ${FORMS}`;
  }
}

const HOST_PORT = /^\/\/(?:\[([^[\]]+)\]|([^:[\]/@]+)):(\d{1,9})\/?$/;

function parseHostPort(scheme: string, address: string): Target {
  const [, v6, name, port] = HOST_PORT.exec(address) ?? [];
  const host = v6 ?? name;
  if (host === undefined) return `${scheme}://host:port (IPv6: ${scheme}://[::1]:port)`;
  return { type: scheme, host, port: Number(port) };
}

/** Values that look like numbers or booleans are such, except where the key takes text. */
const TEXT_KEYS = new Set(['serial', 'peer', 'peer_pattern', 'parity']);

function addQuery(target: Exclude<Target, string>, query: string | undefined): ParsedLink {
  const link: Record<string, string | number | boolean> = { ...target };
  for (const part of query === undefined || query === '' ? [] : query.split('&')) {
    const [key, raw] = cut(part, '=');
    const value = raw === undefined ? undefined : decode(raw);
    if (key === '' || value === undefined) return { ok: false, expected: `key=value after the "?", not "${part}"` };
    if (key in link || key === '__proto__') return { ok: false, expected: `"${key}" to be said only once` };
    link[key] = TEXT_KEYS.has(key) ? value : typed(value);
  }
  return { ok: true, link };
}

function typed(value: string): string | number | boolean {
  if (value === 'true' || value === 'false') return value === 'true';
  return /^\d{1,15}(?:\.\d+)?$/.test(value) ? Number(value) : value;
}

function cut(text: string, at: string): [string, string | undefined] {
  const index = text.indexOf(at);
  return index === -1 ? [text, undefined] : [text.slice(0, index), text.slice(index + at.length)];
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** The string form of a link in object form; `parseLink` gives the same object back. */
export function formatLink(link: LinkInput): string {
  const { address, rest } = addressOf(link);
  const query = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${encode(String(value))}`);
  return query.length === 0 ? address : `${address}?${query.join('&')}`;
}

function addressOf(link: LinkInput): { address: string; rest: object } {
  switch (link.type) {
    case 'serial': {
      const { type, path, ...rest } = link;
      return { address: `${type}:${path.replaceAll(/[%?]/g, encodeURIComponent)}`, rest };
    }
    case 'usb': {
      const { type, id, ...rest } = link;
      return { address: `${type}:${id}`, rest };
    }
    default: {
      const { type, host = '127.0.0.1', port, ...rest } = link;
      return { address: `${type}://${host.includes(':') ? `[${host}]` : host}:${port}`, rest };
    }
  }
}

/** Only what would end a value; `{ip}-{port}` stays readable. */
function encode(text: string): string {
  return text.replaceAll(/[%&=?#+\s]/g, encodeURIComponent);
}
