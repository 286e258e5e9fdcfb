// Why a serial port cannot be opened, found out before it is opened: opening a busy port would change its owner's settings
// before the lock is refused, and the binding's own errors are bare system texts. Each answer names the way out.

import { constants, type Stats } from 'node:fs';
import { access, readFile, realpath, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { LinkError } from '../link.js';
import { HolderSearch, type PortHolder } from '../port-holder.js';
import { listPorts, type SystemRoots } from '../ports.js';
import type { LinkDeps } from './link-deps.js';

/** Passes if `path` is a terminal that we may open and that nobody holds; else throws the LinkError that says why. */
export async function checkPort(path: string, roots: SystemRoots & Pick<LinkDeps, 'holders'>): Promise<void> {
  const node = await stat(path).catch(() => undefined);
  if (!node) throw await missing(path, roots);
  if (!node.isCharacterDevice())
    throw new LinkError('io-error', `${path} is not a serial port (not a character device)`);
  await access(path, constants.R_OK | constants.W_OK).catch(async (error: NodeJS.ErrnoException) => {
    // Not the mode of the node, which gives EACCES: the list of devices of this container or service.
    if (error.code === 'EPERM') throw forbidden(path, error);
    if (error.code === 'ENOENT') throw await missing(path, roots); // unplugged meanwhile
    throw await noPermission(path, node, error);
  });
  const target = await realpath(path).catch(() => undefined);
  if (target === undefined) throw await missing(path, roots);
  const { holders = new HolderSearch(roots) } = roots;
  const holder = await holders.find(target);
  if (holder) throw busy(path, holder);
}

/** Turns the binding's text into a LinkError. `settings` as in `9600 8N1`. */
export function explainOpenError(path: string, text: string, settings: string, cause: unknown): LinkError {
  if (text.includes('Cannot lock port') || text.includes('Device or resource busy')) {
    return new LinkError('busy', `${path} is held by another process; \`sudo fuser -v ${path}\` tells which`, {
      cause,
    });
  }
  if (text.includes('Operation not permitted') || text.includes('Permission denied')) {
    return forbidden(path, cause);
  }
  if (text.includes('No such')) return new LinkError('missing', `${path} went away while it was opened`, { cause });
  return new LinkError('io-error', `cannot open ${path} with ${settings}: ${text.replace(/^Error:? /, '')}`, { cause });
}

function forbidden(path: string, cause: unknown): LinkError {
  const container = 'in a container, is the device passed to it (--device, devices:)?';
  const words = `the system forbids opening ${path}; ${container} Under systemd, does DeviceAllow of the service name it?`;
  return new LinkError('no-permission', words, { cause });
}

async function missing(path: string, roots: SystemRoots): Promise<LinkError> {
  const here = (await listPorts(roots)).map((port) => port.path);
  const words = here.length > 0 ? `ports here: ${here.join(', ')}` : 'there are no serial ports here';
  return new LinkError('missing', `no such port ${path}; ${words} (see \`ferrule ports\`)`);
}

function busy(path: string, holder: PortHolder): LinkError {
  if (holder.pid === process.pid) {
    return new LinkError(
      'busy',
      `${path} is open in this gateway already: do the links of two devices lead to this port?`,
    );
  }
  return new LinkError(
    'busy',
    `${path} is held by pid ${holder.pid} (${holder.command}); stop that program to free the port`,
  );
}

async function noPermission(path: string, node: Stats, cause: unknown): Promise<LinkError> {
  const group = await nameOfGroup(node.gid);
  const isForGroup = (node.mode & 0o060) === 0o060;
  const wayOut = isForGroup
    ? `it belongs to group ${group}: \`sudo usermod -aG ${group} ${userName()}\`, then log in again or restart the service`
    : `its mode ${(node.mode & 0o777).toString(8)} does not let its group ${group} in: \`sudo chmod g+rw ${path}\`, for good with a udev rule MODE="0660"`;
  return new LinkError('no-permission', `no permission for ${path}; ${wayOut}`, { cause });
}

async function nameOfGroup(gid: number): Promise<string> {
  const groups = await readFile('/etc/group', 'utf8').catch(() => '');
  const line = groups.split('\n').find((entry) => entry.split(':')[2] === String(gid));
  return line?.split(':')[0] ?? String(gid);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return '$USER'; // a uid without an entry in /etc/passwd, as in many containers
  }
}
