// What `ferrule` understands: reads the arguments, calls one file per subcommand, and gives the exit code that it answers.
// Commands are imported when they are called, so that `ferrule run` loads nothing of the demo.

import { Command, CommanderError, Option } from 'commander';
import { EXIT } from './exit-codes.js';
import { LinePrinter } from './print.js';
import type { ReplayCommandOptions } from './replay.js';
import { version } from './version.js';

const output = new LinePrinter(() => process.stdout);
const { line: out } = output;
const { line: err } = new LinePrinter(() => process.stderr);
const here = { cwd: process.cwd(), env: process.env, out, err };
const CONFIG_FLAG = [
  '-c, --config <file>',
  'config file (default: ./ferrule.yaml, then /etc/ferrule/ferrule.yaml)',
] as const;

interface SendFlags {
  readonly config?: string;
  readonly channel?: string;
  readonly get?: boolean;
  readonly write?: boolean;
  readonly hex?: boolean;
  readonly wait: string;
  readonly json?: boolean;
}

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
  .command('record')
  .description('record the line of a device of a running gateway: every chunk, both ways, with its time')
  .argument('<device>', 'name of the device, or <listener>/<peer>')
  .option(...CONFIG_FLAG)
  .option('-o, --output <file>', 'where to; - is stdout (default: <device>.ndjson)')
  .option('--force', 'write over a file that is there')
  .option('--seconds <n>', 'end after so long (default: until Ctrl-C)')
  .action(async (device: string, given: { config?: string; output?: string; force?: boolean; seconds?: string }) => {
    const { runRecord } = await import('./record.js');
    const { config, output, force = false, seconds } = given;
    const time = seconds === undefined ? {} : { seconds: Number(seconds) };
    exitCode = await runRecord({ ...here, path: config, device, output, force, ...time });
  });

program
  .command('replay')
  .description('play a recording as a virtual device, for a gateway to read')
  .argument('<file>', 'made by ferrule record')
  .option('--pty <path>', 'on a pty; the path is a symlink that the gateway opens as a serial port')
  .option('--tcp <[host:]port>', 'listen on this port')
  .option('--connect <host:port>', 'connect to a gateway that listens')
  .option('--speed <n>', 'times as fast as recorded, or max', '1')
  .option('--loop', 'again and again, until Ctrl-C')
  .option('--expect', 'compare what the gateway writes with the recording; exit code 1 if it differs')
  .action(async (file: string, given: Omit<ReplayCommandOptions, 'file'>) => {
    const { runReplay } = await import('./replay.js');
    const { loop = false, expect = false } = given;
    exitCode = await runReplay({ ...here, ...given, loop, expect, file });
  });

program
  .command('sim')
  .description('run virtual devices from a YAML file, each on a pty or a port')
  .argument('<file>', 'which devices')
  .option('--print-config', 'only print the devices of a ferrule.yaml that reaches them')
  .option('-i, --interactive', 'take commands from stdin: unplug NAME, plug NAME')
  .action(async (file: string, given: { printConfig?: boolean; interactive?: boolean }) => {
    const { runSim } = await import('./sim.js');
    const { printConfig = false, interactive = false } = given;
    exitCode = await runSim({ ...here, file, printConfig, ...(interactive && { commands: process.stdin }) });
  });

program
  .command('status')
  .description('show the devices of a running gateway: state, last heard, readings, next try')
  .option(...CONFIG_FLAG)
  .option('--wait <time>', 'longest wait for broker and gateway', '5s')
  .option('--json', 'as JSON')
  .action(async ({ config, wait, json = false }: { config?: string; wait: string; json?: boolean }) => {
    const { runStatus } = await import('./status.js');
    exitCode = await runStatus({ ...here, path: config, wait, json });
  });

program
  .command('send')
  .description('send a command to a device of a running gateway, and show what becomes of it')
  .argument('<device>', 'name of the device, or <listener>/<peer>')
  .argument('[payload]', 'what it is to get')
  .option(...CONFIG_FLAG)
  .option('--channel <name>', 'the channel of the device that is meant')
  .addOption(new Option('--get', 'ask for a fresh reading').conflicts('write'))
  .addOption(new Option('--write', 'bytes for the line, as they are'))
  .option('--hex', 'the payload is written in hexadecimal: "02 41 03"')
  .option('--wait <time>', 'longest wait for broker, gateway and device', '10s')
  .option('--json', 'one JSON object per response')
  .action(async (device: string, payload: string | undefined, given: SendFlags) => {
    const { runSend } = await import('./send.js');
    const { config, get = false, write = false, hex = false, json = false, ...rest } = given;
    const verb = get ? 'get' : write ? 'write' : 'set';
    exitCode = await runSend({ ...here, ...rest, path: config, device, payload, verb, hex, json });
  });

program
  .command('healthcheck')
  .description('ask a running gateway how it is; exit code 0 while it works')
  .option(...CONFIG_FLAG)
  .option('--wait <time>', 'longest wait for broker and gateway', '5s')
  .option('--live', 'only whether it is alive, over HTTP: needs no broker; for containers')
  .action(async ({ config, wait, live = false }: { config?: string; wait: string; live?: boolean }) => {
    if (live) {
      const { runLiveCheck } = await import('./live-check.js');
      exitCode = await runLiveCheck({ ...here, path: config, wait });
      return;
    }
    const { runHealthcheck } = await import('./healthcheck.js');
    exitCode = await runHealthcheck({ ...here, path: config, wait });
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
  .option('--data-dir <folder>', 'write this as gateway.data_dir')
  .action(async ({ config, dataDir }: { config: string; dataDir?: string }) => {
    const [{ runInit }, { listPorts }] = await Promise.all([import('./init.js'), import('../device/ports.js')]);
    exitCode = runInit({ ...here, path: config, dataDir, ports: await listPorts() });
  });

program
  .command('ports')
  .description('list serial ports, their USB identity, and who holds them')
  .addOption(new Option('--json', 'as JSON').conflicts('udev'))
  .option('--udev', 'as udev rules, which give them names that stay')
  .action(async ({ json = false, udev = false }: { json?: boolean; udev?: boolean }) => {
    const { runPorts } = await import('./ports.js');
    exitCode = await runPorts(out, { json, udev });
  });

program
  .command('doctor')
  .description(
    'examine config, ports, broker, clock, disk and a running gateway; exit code 1 if something does not work',
  )
  .option(...CONFIG_FLAG)
  .option('-o, --output <file>', 'also write a tar of it, without secrets, to send to whoever helps')
  .action(async ({ config, output }: { config?: string; output?: string }) => {
    const { runDoctor } = await import('./doctor.js');
    exitCode = await runDoctor({ ...here, path: config, output });
  });

program
  .command('schema')
  .description('print the JSON Schema of the config')
  .option('--markdown', 'as a table of keys')
  .action(async ({ markdown }: { markdown?: boolean }) => {
    const { runSchema } = await import('./schema.js');
    exitCode = runSchema({ out, markdown });
  });

/** Carries out what the arguments of this process say; gives the exit code. Never rejects. */
export async function runCommandLine(): Promise<number> {
  const code = await runProgram();
  const failure = await output.failure();
  if (failure === undefined) return code;
  err(`ferrule: not all of the output could be written: ${failure.message}`);
  return code === EXIT.clean ? EXIT.leftovers : code;
}

async function runProgram(): Promise<number> {
  try {
    await program.parseAsync();
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.clean : EXIT.usage;
    err(`ferrule: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return EXIT.internal;
  }
}
