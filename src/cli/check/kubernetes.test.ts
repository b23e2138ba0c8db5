import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readDeclarativeFile } from './declarative-file.js';
import { resolveEntry } from './references.js';
import { validate } from './validation.js';

const read = (text: string) => readDeclarativeFile(text, 'ping-auth').entries;
const secret = (content: string, name = 'ping-auth', namespace = 'prod') =>
  `kind: Secret\nmetadata: { name: ${name}, namespace: ${namespace} }\n${content}\n---\n`;
const plugin = (content: string) =>
  `kind: KongPlugin\nmetadata: { name: p, namespace: prod }\nplugin: ping-auth\n${content}\n`;
const patch = (path: string, key: string, more = '') =>
  `{ path: ${path}, valueFrom: { secretKeyRef: { name: ping-auth, key: ${key}${more} } } }`;

describe('manifests for the Kong Ingress Controller', () => {
  it('of ours are valid', () => {
    const file = new URL('../../../kong/kubernetes/kong-plugin.yaml', import.meta.url);
    const entries = read(readFileSync(file, 'utf8'));
    expect(entries.map(({ where }) => where)).toEqual([
      'KongPlugin default/ping-auth',
      'KongClusterPlugin ping-auth',
    ]);
    for (const entry of entries) {
      const resolved = resolveEntry(entry, { PING_AUTH_SECRET: 'Zk4' }, []);
      expect(resolved.unresolved).toEqual([]);
      expect(validate(resolved).problems).toEqual([]);
    }
  });

  it('take fields from configPatches, out of data and stringData', () => {
    const base64 = Buffer.from('5000').toString('base64');
    const text =
      secret(`data: { n: ${base64} }\nstringData: { s: '"Zk4"', u: '"https://b"' }`) +
      plugin(
        `config: { service_url: https://a }\nconfigPatches: [${patch('/shared_secret', 's')}, ${patch('/call_timeout_ms', 'n')}, ${patch('/failover_service_urls/-', 'u')}]`,
      );
    const [entry] = read(text);
    expect(entry?.config).toEqual({
      service_url: 'https://a',
      shared_secret: 'Zk4',
      call_timeout_ms: 5000,
      failover_service_urls: ['https://b'],
    });
    expect(entry?.unresolved).toEqual([]);
  });

  it('look into the namespace of the plugin, a KongClusterPlugin into the one that it names', () => {
    const secrets =
      secret(`stringData: { s: '"right"' }`) + secret(`stringData: { s: '"wrong"' }`, 'ping-auth', 'dev');
    expect(read(secrets + plugin(`configPatches: [${patch('/shared_secret', 's')}]`))[0]?.config).toEqual({
      shared_secret: 'right',
    });
    const cluster = `kind: KongClusterPlugin\nmetadata: { name: c }\nplugin: ping-auth\nconfigPatches: [${patch('/shared_secret', 's', ', namespace: prod')}]\n`;
    expect(read(secrets + cluster)[0]?.config).toEqual({ shared_secret: 'right' });
  });

  it('take the whole configuration from configFrom', () => {
    const text =
      secret(`stringData: { all: "service_url: https://a\\nshared_secret: Zk4" }`) +
      plugin('configFrom: { secretKeyRef: { name: ping-auth, key: all } }');
    expect(read(text)[0]?.config).toEqual({ service_url: 'https://a', shared_secret: 'Zk4' });
  });

  it('say what is in no Secret of the file; PING_AUTH_SECRET is taken in its place', () => {
    const [entry] = read(
      plugin(`config: { service_url: https://a }\nconfigPatches: [${patch('/shared_secret', 's')}]`),
    );
    if (entry === undefined) throw new Error('the plugin was not found');
    const { unresolved, config } = resolveEntry(entry, {}, []);
    expect(unresolved).toMatchObject([
      {
        field: 'shared_secret',
        problem: 'comes from the key s of the Secret prod/ping-auth, which is not in this file',
      },
    ]);
    expect(validate({ config, unresolved }).problems).toEqual([]);
    expect(resolveEntry(entry, { PING_AUTH_SECRET: 'Zk4' }, [])).toMatchObject({
      config: { shared_secret: 'Zk4' },
      unresolved: [],
    });
  });

  it('say that configPatches wants JSON', () => {
    const text =
      secret('stringData: { s: Zk4 }') + plugin(`configPatches: [${patch('/shared_secret', 's')}]`);
    expect(read(text)[0]?.unresolved).toMatchObject([
      { field: 'shared_secret', problem: expect.stringMatching(/wants JSON .* put a text in quotes/) },
    ]);
  });
});
