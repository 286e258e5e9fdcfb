#!/usr/bin/env node
// The `ferrule` command: reads the arguments, calls one file per subcommand, and exits with what that answers. Commands are
// imported when they are called, so that `ferrule run` loads nothing of the demo.

import './small-heap.js'; // first: see there
import { Command, CommanderError } from 'commander';
import { EXIT } from './exit-codes.js';
import { version } from './version.js';

const out = (line: string): void => void process.stdout.write(`${line}\n`);
const err = (line: string): void => void process.stderr.write(`${line}\n`);
const here = { cwd: process.cwd(), env: process.env, out, err };
const CONFIG_FLAG = [
  '-c, --config <file>',
  'config file (default: ./ferrule.yaml, then /etc/ferrule/ferrule.yaml)',
] as const;

let exitCode: number = EXIT.clean;

const program = new Command('ferrule')
  .description('Ties serial ports and sockets to MQTT, one supervised thread group per device.')
  .version(version)
  .exitOverride()
  .showHelpAfterError()
  .configureHelp({ showGlobalOptions: true });

program
  .command('run')
  .description('run the gateway')
  .option(...CONFIG_FLAG)
  .action(async ({ config }: { config?: string }) => {
    const { runDaemon } = await import('./run.js');
    exitCode = await runDaemon({ ...here, path: config, isTerminal: process.stdout.isTTY === true });
  });

program
  .command('check')
  .description('check a config: every error at once, with its place')
  .option(...CONFIG_FLAG)
  .action(async ({ config }: { config?: string }) => {
    const { runCheck } = await import('./check.js');
    exitCode = await runCheck({ ...here, path: config });
  });

program
  .command('monitor')
  .description('show the line of a device of a running gateway live: bytes in and out, readings, answers')
  .argument('<device>', 'name of the device, or <listener>/<peer>')
  .option(...CONFIG_FLAG)
  .option('--seconds <n>', 'end after so long (default: until Ctrl-C)')
  .option('--json', 'one JSON object per message')
  .action(async (device: string, given: { config?: string; seconds?: string; json?: boolean }) => {
    const { runMonitor } = await import('./monitor.js');
    const { config, seconds, json = false } = given;
    const time = seconds === undefined ? {} : { seconds: Number(seconds) };
    exitCode = await runMonitor({ ...here, path: config, device, json, ...time });
  });

program
  .command('demo')
  .description('try Ferrule with nothing else: embedded broker, virtual devices, readings live on the screen')
  .option('-p, --port <port>', 'port of the embedded broker (default: 1883, or a free one if that is taken)')
  .action(async ({ port }: { port?: string }) => {
    const { runDemo } = await import('./demo.js');
    const chosen = port === undefined ? {} : { port: Number(port) };
    exitCode = await runDemo({ ...chosen, out, err, isTerminal: process.stdout.isTTY === true });
  });

program
  .command('init')
  .description('write a commented ferrule.yaml for the serial ports that are plugged in')
  .option('-c, --config <file>', 'the file to write', 'ferrule.yaml')
  .action(async ({ config }: { config: string }) => {
    const [{ runInit }, { listPorts }] = await Promise.all([import('./init.js'), import('../device/ports.js')]);
    exitCode = runInit({ ...here, path: config, ports: await listPorts() });
  });

program
  .command('ports')
  .description('list serial ports, their USB identity, and who holds them')
  .option('--json', 'as JSON')
  .action(async ({ json = false }: { json?: boolean }) => {
    const { runPorts } = await import('./ports.js');
    exitCode = await runPorts(out, { json });
  });

program
  .command('schema')
  .description('print the JSON Schema of the config')
  .option('--markdown', 'as a table of keys')
  .action(async ({ markdown }: { markdown?: boolean }) => {
    const { runSchema } = await import('./schema.js');
    exitCode = runSchema({ out, markdown });
  });

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) exitCode = error.exitCode === 0 ? EXIT.clean : EXIT.usage;
  else {
    err(`ferrule: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    exitCode = EXIT.internal;
  }
}
// Not process.exitCode: a library's forgotten handle must not keep a finished command alive.
process.exit(exitCode);
