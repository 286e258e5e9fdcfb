// Runs what build-rootfs.mjs made, as an engine would: ENTRYPOINT and CMD in a chroot, with the image's user, folder and
// environment; the HEALTHCHECK the same way. first-reading.mjs judges.
//
//   node run-image.mjs IMAGE_JSON USER

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [json, user] = process.argv.slice(2);
const image = JSON.parse(json);

/** Environment: only the image's own, and the config that first-reading.mjs gives. */
function inImage(command) {
  const as = user === 'root' ? [] : ['--userspec', user];
  return ['chroot', ...as, image.root, 'env', `--chdir=${image.cwd}`, ...command];
}

const judge = fileURLToPath(new URL('first-reading.mjs', import.meta.url));
const health = image.healthcheck === undefined ? [] : ['--health', JSON.stringify(inImage(image.healthcheck))];
const command = inImage([...image.entrypoint, ...image.cmd]);
const env = { HOME: '/home/node', UDEV: '1', ...image.env };
const { status } = spawnSync(process.execPath, [judge, ...health, '--', ...command], { stdio: 'inherit', env });
process.exitCode = status ?? 1;
