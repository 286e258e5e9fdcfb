// `ferrule schema`: the JSON Schema of the config; with `--markdown` the table of keys that stands in the README.

import { configJsonSchema } from '../config/json-schema.js';
import { configReference } from '../config/reference.js';

export interface SchemaOptions {
  /** Prints a line. */
  readonly out: (line: string) => void;
  readonly markdown?: boolean | undefined;
}

/** Runs the command; gives the exit code. */
export function runSchema({ out, markdown = false }: SchemaOptions): number {
  out(markdown ? configReference().trimEnd() : JSON.stringify(configJsonSchema(), null, 2));
  return 0;
}
