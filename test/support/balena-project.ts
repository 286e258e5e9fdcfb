// The project that `balena push` takes, laid out by the script that a user runs.

import { execFileSync } from 'node:child_process';
import path from 'node:path';

/** Lays it out below `folder`; gives its path. */
export function layOutBalena(folder: string): string {
  const project = path.join(folder, 'project');
  execFileSync('sh', ['deploy/balena/project.sh', project]);
  return project;
}
