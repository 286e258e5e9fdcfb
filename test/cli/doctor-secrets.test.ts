import test from 'ava';
import { blackener } from '../../src/cli/doctor-secrets.js';

test('what the config hides is black wherever it turns up: as it is, in a URL, in JSON', (t) => {
  const config = { mqtt: { username: 'plant', password: 'p"ss w/rd' }, devices: { key: { token: 4711_0815 } } };
  const blacken = blackener(config, []);
  t.is(blacken('user plant, p"ss w/rd?'), 'user plant, ***?');
  t.is(blacken(JSON.stringify({ said: 'p"ss w/rd' })), '{"said":"***"}');
  t.is(blacken(`at ${encodeURIComponent('p"ss w/rd')}`), 'at ***');
  t.is(blacken('token 47110815'), 'token ***');
});

test('login and telling parameters of a URL are black also where they stand alone', (t) => {
  const blacken = blackener({ url: 'mqtts://joe%40x:hunter%21two@broker:1?token=tok-123&keep=yes' }, []);
  t.is(blacken('hunter!two hunter%21two joe@x tok-123 yes broker'), '*** *** *** *** yes broker');
  t.is(blacken('mqtts://other:pass@host'), 'mqtts://***@host');
});

test('what was read from a file of its own is black, a key in PEM line by line', (t) => {
  const pem = '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----\n';
  const config = {
    mqtt: { key: pem },
    devices: { plc: { options: { door: 'open-sesame', list: ['first', 'second'] } } },
  };
  const blacken = blackener(config, [
    ['devices', 'plc', 'options', 'door'],
    ['devices', 'plc', 'options', 'list'],
  ]);
  t.is(blacken('say open-sesame'), 'say ***');
  t.is(blacken('  kqhkiG9w0BAQEF'), '  ***');
  t.is(blacken('first second'), '*** ***');
});

test('words too short to be told from others stay, and nothing hidden changes nothing', (t) => {
  t.is(blackener({ password: 'on' }, [])('on and online'), 'on and online');
  t.is(blackener({ mqtt: { url: 'mqtt://host' } }, [])('mqtt://host'), 'mqtt://host');
});
