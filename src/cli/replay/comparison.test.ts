import { expect, it } from 'vitest';
import { urlPattern } from '../../recordings/comparison.js';
import { Pacer } from './replay.js';

it.each([
  ['https://h:443/orders/17/items?page=2', '/orders/{id}/items'],
  ['https://h/users/3f2504e0-4f89-11d3-9a0c-0305e82c3301', '/users/{id}'],
  ['https://h/blobs/9c5c1b479c5c1b47', '/blobs/{id}'],
  ['https://h/s/aGVsbG8x92xPqR', '/s/{id}'],
  ['https://h/v1/oauth2/userinfo', '/v1/oauth2/userinfo'],
  ['https://h', '/'],
])('%s is %s', (url, pattern) => expect(urlPattern(url)).toBe(pattern));

it('lets through so many a second, evenly, and makes up for nothing', async () => {
  let time = 0;
  const clock = {
    now: () => time,
    sleep: async (ms: number) => {
      time += ms;
    },
  };
  const pacer = new Pacer(20, clock);
  const times: number[] = [];
  for (let i = 0; i < 4; i += 1) {
    await pacer.turn();
    times.push(time);
  }
  expect(times).toEqual([0, 50, 100, 150]);
  time = 1000;
  await pacer.turn();
  await pacer.turn();
  expect(time).toBe(1050);
});
