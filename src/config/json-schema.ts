// The config's JSON Schema, for editors (`ferrule schema > ferrule.schema.json`, then in the YAML file
// `# yaml-language-server: $schema=ferrule.schema.json`). Made from the one schema, input side: what people may write.

import { z } from 'zod';
import { configSchema, linkInputSchema } from './schema.js';

type JsonSchema = z.core.JSONSchema.JSONSchema;

/** JSON Schema (draft 2020-12) of the config file. */
export function configJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any', override: adjust });
  return { ...schema, title: 'Ferrule config' };
}

interface Node {
  readonly zodSchema: z.core.$ZodType;
  readonly jsonSchema: JsonSchema;
}

function adjust({ zodSchema, jsonSchema }: Node): void {
  if (zodSchema !== linkInputSchema) return;
  // The string form is turned into the object before the schema sees it, so only the object is known there.
  const { oneOf = [], description } = jsonSchema;
  for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
  const pattern = '^(/|serial:|usb:|tcp://|tcp-listen://|\\$\\{)';
  Object.assign(jsonSchema, { anyOf: [{ type: 'string', pattern }, ...oneOf], description });
}
