import { describe, expect, it } from 'vitest';
import { parseConfig } from './parse-config.js';

const PROVIDER = {
  service_url: 'https://pa.example',
  shared_secret: 'a-secret-1',
  secret_header_name: 'CLIENT-TOKEN',
};
const config = (fields: object) => parseConfig({ ...PROVIDER, ...fields });

describe('mcp_allowed_origins', () => {
  it.each([
    ['https://app.example.com', 'https://app.example.com'],
    ['HTTPS://App.Example.com:443', 'https://app.example.com'],
    ['http://localhost:6274', 'http://localhost:6274'],
    ['http://localhost:80', 'http://localhost'],
    ['https://x:4430', 'https://x:4430'],
    ['http://[::1]:8080', 'http://[::1]:8080'],
    ['https://*.example.com', 'https://*.example.com'],
    ['https://pr-*.dev.example.com:8443', 'https://pr-*.dev.example.com:8443'],
    ['vscode-webview://abc', 'vscode-webview://abc'],
  ])('takes %s', (origin, wanted) => {
    expect(config({ mcp_allowed_origins: [origin] }).mcp_allowed_origins).toEqual([wanted]);
  });

  it.each([
    ...[
      '*',
      'null',
      'https://*',
      'https://*.com',
      'https://app.example.com/',
      'https://a.example/x',
      'app.example.com',
    ],
    ...[
      'https://',
      'https://:443',
      'https://a.*.example',
      'https://**.example.com',
      'https://a@b.example',
      'https://a b',
    ],
    ...['https://a.example:0', 'https://a.example#', '//a.example', 'https://ä.example', ''],
  ])('refuses %j', (origin) => {
    expect(() => config({ mcp_allowed_origins: [origin] })).toThrow(/mcp_allowed_origins/);
  });
});

describe('mcp_resource_metadata_url', () => {
  it.each(['https://gw.example/.well-known/oauth-protected-resource/mcp', 'http://127.0.0.1:8000/x?y=1'])(
    'takes %s',
    (url) => {
      expect(config({ mcp_resource_metadata_url: url }).mcp_resource_metadata_url).toBe(url);
    },
  );

  it.each([
    ...[
      'http://gw.example/x',
      'gw.example',
      'https:gw.example',
      'https://',
      'https://a@gw.example/',
      'https://gw.example/#x',
    ],
    ...[
      'https://gw.example/"x',
      'https://gw.example/ x',
      'https://gw.example/\\x',
      'https://gw.example/é',
      'https://gw.example/\n',
      '',
    ],
  ])('refuses %j', (url) => {
    expect(() => config({ mcp_resource_metadata_url: url })).toThrow(/mcp_resource_metadata_url/);
  });
});

it('mcp_max_ttl_ms may be 0, and is not set by default', () => {
  expect(config({ mcp_max_ttl_ms: 0 }).mcp_max_ttl_ms).toBe(0);
  expect(config({}).mcp_max_ttl_ms).toBeUndefined();
  expect(() => config({ mcp_max_ttl_ms: -1 })).toThrow(/mcp_max_ttl_ms/);
});
