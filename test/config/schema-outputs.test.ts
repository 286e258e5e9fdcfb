// What is made from the schema: JSON Schema, the README's table, a redacted copy.

import { readFileSync } from 'node:fs';
import test from 'ava';
import { z } from 'zod';
import { configJsonSchema } from '../../src/config/json-schema.js';
import { unwrap } from '../../src/config/known-keys.js';
import { redact } from '../../src/config/redact.js';
import { configReference } from '../../src/config/reference.js';
import { configSchema } from '../../src/config/schema.js';
import { loadText } from '../support/config-files.js';

/** `partial()` wraps what has a description. */
function unwrapPartial(schema: z.core.$ZodType): z.core.$ZodType {
  const isBare = z.globalRegistry.get(schema) === undefined && schema instanceof z.ZodOptional;
  return isBare ? schema.unwrap() : schema;
}

test('every key of the config has a description', (t) => {
  const bare = (schema: z.core.$ZodType, path: string): string[] => {
    const inner = unwrap(schema);
    if (inner instanceof z.ZodRecord) return bare(inner.valueType, `${path}.*`);
    if (inner instanceof z.ZodUnion) return inner.options.flatMap((option) => bare(option, path));
    if (!(inner instanceof z.ZodObject)) return [];
    return Object.entries(inner.shape).flatMap(([key, value]) => {
      const { description } = z.globalRegistry.get(unwrapPartial(value)) ?? {};
      const isPlain = key === 'type' && value instanceof z.ZodLiteral;
      return [...(description || isPlain ? [] : [`${path}.${key}`]), ...bare(value, `${path}.${key}`)];
    });
  };
  t.deepEqual(bare(configSchema, ''), []);
});

test('the JSON Schema takes what people write: strings for durations, both forms of a link, false for http', (t) => {
  const schema = JSON.parse(JSON.stringify(configJsonSchema()));
  t.is(schema.type, 'object');
  t.deepEqual(schema.properties.http.anyOf[1], { type: 'boolean', const: false });
  t.deepEqual(schema.required, undefined);
  t.is(schema.properties.gateway.properties.shutdown_deadline.default, '8s');
  const device = schema.properties.devices.additionalProperties;
  t.deepEqual(device.required, ['driver', 'link']);
  t.is(device.properties.link.anyOf.length, 5);
  t.is(device.properties.link.anyOf[0].type, 'string');
  t.is(device.additionalProperties, false);
});

test('the README shows the table of keys as the schema has it', (t) => {
  const readme = readFileSync('README.md', 'utf8');
  const between = /<!-- config:begin -->\n([\s\S]*?)<!-- config:end -->/.exec(readme)?.[1];
  t.is(between?.trim(), configReference().trim(), 'run `ferrule schema --markdown`');
  t.true(configReference().includes('| `http.listen` | `127.0.0.1:8377` | Where health'));
  t.true(configReference().includes('| `mqtt.qos` | `1` | QoS of readings |'));
});

test('a redacted config shows no secret', (t) => {
  const pem = '-----BEGIN KEY hunter2';
  const { config } = loadText(`mqtt:
  url: mqtts://me:hunter2@broker
  password: hunter2
  cert: ${pem}
  key: ${pem}
devices:
  key: { driver: raw, link: tcp://h:1, on_shutdown: stop, options: { api_token: hunter2, list: [{ secret: hunter2 }] } }`);
  const copy = redact({ ...config, mqtt: { ...config.mqtt, cert: 'public' } });
  t.notRegex(JSON.stringify(copy), /hunter2/);
  t.is(copy.mqtt.url, 'mqtts://***@broker');
  t.is(copy.mqtt.password, '***');
  t.is(copy.devices.key?.driver, 'raw');
  t.is(String(copy.devices.key?.on_shutdown), 'stop');
  t.is(config.mqtt.password, 'hunter2');
});
