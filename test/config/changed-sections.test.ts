import test from 'ava';
import { changedSections, withStartSections } from '../../src/config/changed-sections.js';
import { loadText } from '../support/config-files.js';

test('what is read once stays as it was at the start, and is told after every reload until then', (t) => {
  const start = loadText('mqtt: { qos: 0 }\nlog: { level: info }\ndevices: {}').config;
  const reloaded = loadText(
    'gateway: { id: new }\nmqtt: { qos: 1 }\nlog: { level: debug }\ndrivers_dir: ./d\nhttp: false\ndevices: {}',
  ).config;
  const running = withStartSections(reloaded, start);
  t.deepEqual([running.log.level, running.mqtt.qos, running.drivers_dir], ['info', 0, undefined]);
  t.is(running.http, false, 'all else is taken on');
  t.deepEqual(changedSections(running, reloaded), ['gateway', 'mqtt', 'log', 'drivers_dir']);
});
