import { describe, expect, it } from 'vitest';
import { HeaderList } from '../http/headers.js';
import { originCheck } from './origin.js';

const passes = (allowed: readonly string[], ...origins: string[]) => {
  try {
    originCheck(allowed)(HeaderList.from(origins.map((origin) => ['origin', origin])));
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'mcp_origin_not_allowed', status: 403, rpcCode: -32600 });
    return false;
  }
};

describe('the Origin of a request', () => {
  const allowed = [
    'https://app.example',
    'http://localhost:6274',
    'https://*.agents.example',
    'https://pr-*.dev.example:8443',
  ];

  it.each([
    'https://app.example',
    'HTTPS://App.Example',
    'http://localhost:6274',
    'https://a.agents.example',
    'https://pr-17.dev.example:8443',
  ])('passes when it is listed: %s', (origin) => {
    expect(passes(allowed, origin)).toBe(true);
  });

  it.each([
    'https://evil.example',
    'http://app.example',
    'https://app.example:444',
    'https://app.example.evil.example',
    'https://evil.example/https://app.example',
    'https://xapp.example',
    'https://appxexample',
    'http://localhost',
    'https://agents.example',
    'https://.agents.example',
    'https://a.b.agents.example',
    'https://a.agents.example.evil',
    'https://evil.example/.agents.example',
    'https://evil.example#.agents.example',
    'https://*.agents.example',
    'https://pr-.dev.example:8443',
    'https://app.example https://evil.example',
    'null',
    '',
    '*',
  ])('is refused when it is not: %s', (origin) => {
    expect(passes(allowed, origin)).toBe(false);
  });

  it('passes when there is none, or none is listed; of two none does', () => {
    expect(passes(allowed)).toBe(true);
    expect(passes([], 'https://evil.example')).toBe(true);
    expect(passes(allowed, 'https://app.example', 'https://app.example')).toBe(false);
  });
});
