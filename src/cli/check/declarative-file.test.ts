import { describe, expect, it } from 'vitest';
import { readDeclarativeFile } from './declarative-file.js';

const places = (text: string, name = 'ping-auth') =>
  readDeclarativeFile(text, name).entries.map(({ where }) => where);

describe('where the plugin is configured', () => {
  it('in a declarative file of Kong: global, service, route, consumer, by reference', () => {
    const text = `
services:
  - name: a
    plugins: [{ name: ping-auth }, { name: cors }]
    routes: [{ name: r, plugins: [{ name: ping-auth }] }]
routes: [{ name: free, plugins: [{ name: ping-auth, enabled: false }] }]
consumers: [{ username: joe, plugins: [{ name: ping-auth }] }]
plugins:
  - { name: ping-auth }
  - { name: ping-auth, service: b, route: { name: s } }
`;
    expect(places(text)).toEqual([
      'global',
      'service b, route s',
      'service a',
      'service a, route r',
      'route free',
      'consumer joe',
    ]);
    expect(readDeclarativeFile(text, 'ping-auth').entries[4]?.enabled).toBe(false);
  });

  it('in Kubernetes manifests, several in one file', () => {
    const text = `
apiVersion: configuration.konghq.com/v1
kind: KongPlugin
metadata: { name: orders-auth, namespace: shop }
plugin: ping-auth
config: { service_url: https://pa }
---
kind: KongClusterPlugin
metadata: { name: everywhere }
plugin: ping-auth
---
kind: KongPlugin
metadata: { name: other }
plugin: cors
---
kind: Service
metadata: { name: x }
`;
    expect(places(text)).toEqual(['KongPlugin shop/orders-auth', 'KongClusterPlugin everywhere']);
  });

  it('under another name', () => {
    expect(places('plugins: [{ name: ping-auth-access }]', 'ping-auth-access')).toEqual(['global']);
  });

  it('nowhere, in files of other forms', () => {
    for (const text of [
      '',
      'just text',
      '[]',
      'plugins: ping-auth',
      'services: [7, null]',
      '{"plugins": [{}]}',
    ]) {
      expect(places(text)).toEqual([]);
    }
  });

  it('says line and column of what is not YAML', () => {
    expect(() => places('a: [1\nb: }')).toThrow(/line 2/);
  });
});
