import test from 'ava';
import { type IntroductionFacts, introduce, ownCommand, tryLine } from '../../../src/cli/demo/introduction.js';
import { makeTopics } from '../../../src/uplink/topics.js';

const FACTS: IntroductionFacts = {
  version: '1.2.3',
  topics: makeTopics('ferrule/demo'),
  brokerUrl: 'mqtt://127.0.0.1:1883',
  httpPort: 8377,
  listenerPort: 7000,
  hasArduino: true,
  configFile: '/tmp/ferrule-AbCdEf/demo.yaml',
  command: 'npx ferrule',
  early: [],
};

test('what to try fits 80 columns, best first, and names no port where MQTT clients know it', (t) => {
  const { title, tries } = introduce(FACTS);
  t.is(title, 'Ferrule 1.2.3 demo: MQTT broker on 127.0.0.1:1883, topics below ferrule/demo');
  t.deepEqual(
    tries.map(({ command }) => command),
    [
      'mosquitto_pub -t ferrule/demo/arduino/set/led -m off',
      'npx ferrule status -c /tmp/ferrule-AbCdEf/demo.yaml',
      "mosquitto_sub -t 'ferrule/demo/#' -v",
      'curl 127.0.0.1:8377/health',
      'nc 127.0.0.1 7000',
    ],
  );
  t.true(tries.every((one) => tryLine(one).length < 80));
});

test('another port is named; what is not there is not offered', (t) => {
  const { tries } = introduce({
    ...FACTS,
    brokerUrl: 'mqtt://127.0.0.1:40001',
    hasArduino: false,
    listenerPort: 0,
  });
  t.deepEqual(
    tries.map(({ command }) => command.split(' ').slice(0, 3).join(' ')),
    ['npx ferrule status', 'mosquitto_sub -p 40001', 'curl 127.0.0.1:8377/health'],
  );
});

test('ferrule is called by its name where it is installed, else by npx', (t) => {
  t.is(ownCommand('/usr/local/bin/ferrule'), 'ferrule');
  t.is(ownCommand('/home/me/ferrule/dist/src/cli/main.js'), 'npx ferrule');
  t.is(ownCommand('/home/me/project/node_modules/.bin/ferrule'), 'npx ferrule');
  t.is(ownCommand(undefined), 'npx ferrule');
});
