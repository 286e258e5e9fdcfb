// What deploy/smoke/dockerfile.mjs makes of a Dockerfile: the parser that also runs them, typed for tests.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** One instruction. `args` of ENV, LABEL and ARG are pairs, of all others words. */
export interface Instruction {
  readonly line: number;
  readonly name: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly args: readonly string[] | readonly (readonly [string, string])[];
  readonly isExec: boolean;
}

interface DockerfileModule {
  parseDockerfile(text: string): Instruction[];
}

/** Tests run from the root of the project. */
const MODULE = pathToFileURL(path.resolve('deploy/smoke/dockerfile.mjs')).href;

/** Parses text; rejects with the line of what the runner does not know. */
export async function parseDockerfile(text: string): Promise<Instruction[]> {
  const module = (await import(MODULE)) as DockerfileModule; // no type declarations: it is plain JavaScript, so that it runs unbuilt
  return module.parseDockerfile(text);
}

export function readDockerfile(file: string): Promise<Instruction[]> {
  return parseDockerfile(readFileSync(file, 'utf8'));
}

/** The words of an instruction. */
export function wordsOf({ args }: Instruction): string[] {
  return args.flat();
}
