import test from 'ava';
import { parse } from 'yaml';
import { RigConfig } from '../../src/hil/rig-config.js';

const make = (config: string | object): RigConfig =>
  new RigConfig({ config, brokerUrl: 'mqtt://127.0.0.1:1', dataDir: '/data', cwd: '/here' });

test("broker and folder are the rig's own, the rest of the config stays", (t) => {
  const config = make(`
gateway: { id: press, shutdown_deadline: 2s }
mqtt: { url: mqtts://broker.example.com, username: u, password: secret, ca: x, base_topic: "plant/{id}", qos: 0 }
drivers_dir: ./drivers
log: { level: debug }
`);
  t.is(config.base, 'plant/press');
  t.deepEqual(parse(config.text()), {
    gateway: { id: 'press', shutdown_deadline: '2s', data_dir: '/data' },
    mqtt: { url: 'mqtt://127.0.0.1:1', version: 4, base_topic: 'plant/{id}', qos: 0 },
    drivers_dir: '/here/drivers',
    log: { level: 'debug' },
    http: false,
  });
});

test('an empty config will do', (t) => {
  t.is(make('').base, 'ferrule/rig');
  t.is(make({}).base, 'ferrule/rig');
  t.deepEqual(make({}).devices, []);
});

test('a device without an address is kept back until it is put on a line', (t) => {
  const config = make({
    devices: {
      scale: { driver: 'lines' },
      cell: { driver: 'raw', link: { type: 'serial', baud_rate: 115200, rtscts: true } },
      real: { driver: 'raw', link: 'tcp://10.0.0.5:4001' },
    },
  });
  t.deepEqual(config.devices, ['scale', 'cell', 'real']);
  t.deepEqual(Object.keys(parse(config.text()).devices), ['real']);
  config.attach('scale', 'tcp://127.0.0.1:7');
  config.attach('cell', 'serial:/tmp/tty0');
  t.deepEqual(parse(config.text()).devices, {
    scale: { driver: 'lines', link: { type: 'tcp', host: '127.0.0.1', port: 7 } },
    cell: { driver: 'raw', link: { type: 'serial', baud_rate: 115200, rtscts: true, path: '/tmp/tty0' } },
    real: { driver: 'raw', link: 'tcp://10.0.0.5:4001' },
  });
});

test('a line takes the place of the address that the config gives, and settings of the same kind of link stay', (t) => {
  const config = make({ devices: { a: { driver: 'raw', link: 'serial:/dev/ttyUSB0?baud_rate=9600' } } });
  config.attach('a', 'serial:/tmp/tty0');
  t.deepEqual(parse(config.text()).devices.a.link, { type: 'serial', path: '/tmp/tty0', baud_rate: 9600 });
  config.attach('a', 'tcp://127.0.0.1:7');
  t.deepEqual(parse(config.text()).devices.a.link, { type: 'tcp', host: '127.0.0.1', port: 7 });
});

test('tags, variables and merges of a YAML text stay as they are', (t) => {
  const config = make(`
base: &base { driver: lines, qos: 1 }
devices:
  a: { <<: *base, options: { key: !file secret.txt, id: "\${ID}" } }
`);
  config.attach('a', 'tcp://127.0.0.1:7');
  t.regex(config.text(), /!file secret\.txt/);
  t.regex(config.text(), /\$\{ID\}/);
  t.is(parse(config.text(), { merge: true, logLevel: 'error' }).devices.a.driver, 'lines');
});

test('a device that is an alias of another gets a line of its own', (t) => {
  const config = make('devices:\n  a: &a { driver: lines }\n  b: *a\n');
  config.attach('b', 'tcp://127.0.0.1:7');
  t.deepEqual(parse(config.text()).devices, {
    b: { driver: 'lines', link: { type: 'tcp', host: '127.0.0.1', port: 7 } },
  });
});

test('an object that stands in two places is written twice', (t) => {
  const shared = { driver: 'raw', link: 'tcp://10.0.0.5:1' };
  t.notRegex(make({ devices: { a: shared, b: shared } }).text(), /[&*]/);
});

test('a link that is none stays for the gateway to complain of', (t) => {
  t.is(parse(make({ devices: { a: { driver: 'raw', link: 'nonsense' } } }).text()).devices.a.link, 'nonsense');
});

test('names that are not in the config, and texts that are no config, are told with what there is', (t) => {
  t.throws(() => make({ devices: { scale: { driver: 'lines' } } }).attach('scales', 'tcp://127.0.0.1:7'), {
    code: 'rig-config',
    message: 'no device "scales" in the config of the rig; there are scale',
  });
  t.throws(() => make('a: [').text(), { code: 'rig-config', message: /no YAML/ });
  t.throws(() => make('- a'), { code: 'rig-config', message: /map of keys/ });
});
