import { describe, expect, it } from 'vitest';
import { hostAndPort } from './option-values.js';

describe('the address of the admin server', () => {
  it.each([
    ['127.0.0.1:9145', { host: '127.0.0.1', port: 9145 }],
    [':9145', { host: '127.0.0.1', port: 9145 }],
    ['[::1]:9145', { host: '::1', port: 9145 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
  ])('understands %s', (text, address) => {
    expect(hostAndPort(text)).toEqual(address);
  });

  it.each(['9145', 'host', 'host:', 'host:99999', '::1:80x', 'http://host:1'])('refuses %s', (text) => {
    expect(() => hostAndPort(text)).toThrow(/HOST:PORT is expected/);
  });
});
