// Keeps what the engine has made of our source text for the next start, where Node can (22.1 and later): parsing and compiling is
// a third of a start. `healthcheck --live` profits every minute. In a folder of this user alone, since whoever writes there
// decides what runs here; where there is none, or it cannot be written, everything works as without.

import module from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where it is kept: systemd's CacheDirectory=, else the cache folder of the user. Undefined: nowhere. */
export function compileCacheFolder(env: Environment, home: () => string = homedir): string | undefined {
  const { CACHE_DIRECTORY, XDG_CACHE_HOME } = env;
  if (CACHE_DIRECTORY) return path.join(firstOf(CACHE_DIRECTORY), 'compiled');
  if (XDG_CACHE_HOME) return path.join(XDG_CACHE_HOME, 'ferrule');
  const folder = home();
  return path.isAbsolute(folder) && folder !== '/' ? path.join(folder, '.cache', 'ferrule') : undefined;
}

/** systemd lists several folders with colons between them. */
function firstOf(folders: string): string {
  return folders.split(':')[0] ?? '';
}

/** Uses it from now on; false where there is nothing to use. Never throws. */
export function keepCompiled(env: Environment): boolean {
  const folder = compileCacheFolder(env);
  // Not in the types of the oldest Node that we run on. It reports trouble in its answer, which nobody here can mend.
  const { enableCompileCache } = module as { enableCompileCache?: (folder: string) => unknown };
  if (folder === undefined || enableCompileCache === undefined) return false;
  enableCompileCache(folder);
  return true;
}
