// The README's table of config keys, made from the schema: key, default, meaning. `ferrule schema --markdown` prints it; a test
// compares it with what stands between the markers in README.md.

import { z } from 'zod';
import { framingSchema } from './framing-schema.js';
import { discriminator, unwrap } from './known-keys.js';
import { linkSchema } from './link-schema.js';
import { configSchema, deviceSchema } from './schema.js';

interface Row {
  readonly key: string;
  readonly preset: string;
  readonly meaning: string;
}

/** Markdown tables: the file, a device, its links, its framings. Ends with a newline. */
export function configReference(): string {
  const top = rows(configSchema, '').filter((row) => !/^(?:defaults|devices)/.test(row.key));
  return [
    table('Key', top),
    '`devices.<name>` (and `defaults`, for all devices):\n',
    table('Device key', rows(deviceSchema, '')),
    'Links, by `type`:\n',
    table('Link key', unionRows(linkSchema)),
    'Framings, by `type`; all of them take the last ones:\n',
    table('Framing key', unionRows(framingSchema)),
  ].join('\n');
}

function table(title: string, content: readonly Row[]): string {
  const lines = content.map(({ key, preset, meaning }) => `| \`${key}\` | ${preset} | ${meaning} |`);
  return [`| ${title} | Default | Meaning |`, '|---|---|---|', ...lines, ''].join('\n');
}

/** The keys of an object and of the objects in it, dotted. */
function rows(schema: z.core.$ZodType, prefix: string): Row[] {
  const bare = unwrap(schema);
  if (!(bare instanceof z.ZodObject)) return [];
  return Object.entries(bare.shape)
    .filter(([key]) => !(key === 'type' && prefix === ''))
    .flatMap(([key, value]) => {
      const inner = rows(value, `${prefix}${key}.`);
      return inner.length > 0 && !isOptional(value) ? inner : [row(`${prefix}${key}`, value), ...inner];
    });
}

/** The keys of each alternative behind its type; those that all of them have, once, at the end. */
function unionRows(schema: z.ZodDiscriminatedUnion): Row[] {
  const options = schema.options.map((option) => ({
    type: String(discriminator(option)),
    rows: rows(option, '').map((line) => ({ ...line, text: JSON.stringify(line) })),
  }));
  const isShared = (text: string): boolean => options.every((option) => option.rows.some((line) => line.text === text));
  const own = options.flatMap(({ type, rows }) =>
    rows.filter(({ text }) => !isShared(text)).map((line) => ({ ...line, key: `${type}: ${line.key}` })),
  );
  return [...own, ...(options[0]?.rows.filter(({ text }) => isShared(text)) ?? [])];
}

function row(key: string, schema: z.core.$ZodType): Row {
  return { key, preset: presetWords(schema), meaning: escapeCell(describe(schema)) };
}

function describe(schema: z.core.$ZodType): string {
  return z.globalRegistry.get(schema)?.description ?? '';
}

function isOptional(schema: z.core.$ZodType): boolean {
  return schema instanceof z.ZodOptional;
}

/** The default as people would write it. */
function presetWords(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodOptional) return '';
  if (!(schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)) return 'required';
  const value: unknown = schema.def.defaultValue;
  return `\`${escapeCell(typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value : JSON.stringify(value))}\``;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|');
}
