import { createServer } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { sendRequest } from '../http-client.js';
import { listen } from '../listen.js';
import { startProviderProcess } from './process.js';

const payload = {
  source_ip: '127.0.0.1',
  source_port: 1,
  method: 'GET',
  url: 'http://a.test:80/',
  http_version: '1.1',
  headers: [],
};

it('runs as a process: takes rules, tells its calls, ends on SIGTERM', async () => {
  const provider = await startProviderProcess({ secret: 's3cret', secretHeader: 'X-Token' });
  onTestFinished(() => provider.end('SIGKILL'));
  await provider.setRules([{ name: 'no', deny: { status: 402 } }]);
  const send = () =>
    sendRequest(provider.url, {
      method: 'POST',
      path: '/sideband/request',
      ca: provider.ca,
      headers: [
        ['Content-Type', 'application/json'],
        ['X-Token', 's3cret'],
      ],
      body: JSON.stringify(payload),
    });
  expect((await send()).json()).toMatchObject({ response: { response_code: 402 } });
  expect(await provider.calls()).toMatchObject([
    { phase: 'request', decision: 'deny', rules: ['no'], payload },
  ]);
  await provider.clearCalls();
  expect(await provider.calls()).toEqual([]);
  await expect(provider.setRules([{ name: 'x', deny: {} as never }])).rejects.toThrow(/rules\[0\]\.deny/);
  await provider.end();
  await expect(send()).rejects.toThrow('ECONNREFUSED');
});

it('says that its port is taken', async () => {
  const squatter = createServer();
  const port = await listen(squatter);
  onTestFinished(() => void squatter.close());
  await expect(startProviderProcess({ port })).rejects.toThrow(`port ${port} is taken`);
});
