import net from 'node:net';
import test from 'ava';
import { findHttpPort } from '../../../src/cli/demo/http-port.js';

test('the usual port if it is free, else another that is', async (t) => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const other = await findHttpPort(port);
  t.true(other > 0 && other !== port);
  await new Promise((resolve) => server.close(resolve));
  t.is(await findHttpPort(port), port);
});
