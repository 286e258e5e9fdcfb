// Walks a zod schema: which keys may stand at a path. For "did you mean" and for the generated reference.

import { z } from 'zod';
import type { ConfigPath } from './problem.js';

/** The schema without its wrappers: optional, defaults, preprocessing and transforms (the side that people write). */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.unwrap());
  }
  const map = mapOrFalse(schema);
  if (map !== undefined) return unwrap(map);
  if (schema instanceof z.ZodPipe) return unwrap(schema.in instanceof z.ZodTransform ? schema.out : schema.in);
  return schema;
}

/** What stands beside the `false` of `orFalse`. */
function mapOrFalse(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  if (!(schema instanceof z.ZodUnion)) return undefined;
  const [map, other] = schema.options;
  return other instanceof z.ZodLiteral && other.value === false ? map : undefined;
}

/** The keys that are known in the map at `path`, where `value` is what was parsed as a whole. Empty where any key goes. */
export function knownKeys(schema: z.core.$ZodType, path: ConfigPath, value: unknown): string[] {
  const bare = unwrap(schema);
  if (bare instanceof z.ZodUnion) {
    const type = field(value, 'type');
    const option = bare.options.find((one) => discriminator(one) === type) ?? z.unknown();
    return knownKeys(option, path, value);
  }
  const [key, ...rest] = path;
  if (key === undefined) return bare instanceof z.ZodObject ? Object.keys(bare.shape) : [];
  if (bare instanceof z.ZodObject) {
    const next: z.core.$ZodType | undefined = bare.shape[String(key)];
    return next === undefined ? [] : knownKeys(next, rest, field(value, key));
  }
  if (bare instanceof z.ZodRecord) return knownKeys(bare.valueType, rest, field(value, key));
  return bare instanceof z.ZodArray ? knownKeys(bare.element, rest, field(value, key)) : [];
}

/** The value of `type` that chooses this alternative of a union. */
export function discriminator(schema: z.core.$ZodType): unknown {
  const type = schema instanceof z.ZodObject ? schema.shape.type : undefined;
  return type instanceof z.ZodLiteral ? type.value : undefined;
}

function field(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[key] : undefined;
}
