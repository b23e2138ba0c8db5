// docker-compose.yml: its form, and the three curl lines at its top, told by the Kong stand-in with the same rules.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { parseRules, type RuleInput } from '../../dev/policy-provider/rules.js';
import { type Rig, startRig } from '../support/rig.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');

const Service = z.strictObject({
  image: z.string().optional(),
  build: z.strictObject({ context: z.string(), dockerfile: z.string() }).optional(),
  working_dir: z.string().optional(),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  volumes: z.array(z.string()).optional(),
  ports: z.array(z.string()).optional(),
  healthcheck: z
    .strictObject({ test: z.array(z.string()), interval: z.string(), retries: z.number() })
    .optional(),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.string() })).optional(),
});
const compose = z
  .strictObject({ services: z.record(z.string(), Service), volumes: z.record(z.string(), z.looseObject({})) })
  .parse(parse(read('docker-compose.yml')));

describe('docker-compose.yml', () => {
  it('mounts and runs files that are there', () => {
    for (const { volumes = [], command = [], build } of Object.values(compose.services)) {
      for (const volume of volumes) {
        const [source = ''] = volume.split(':');
        if (source.startsWith('.')) expect(existsSync(`${root}${source}`), source).toBe(true);
        else expect(Object.keys(compose.volumes)).toContain(source);
      }
      for (const word of command) {
        const path = word.replace(/^--rules=/, '');
        if (/^(dev|kong|node_modules)\//.test(path)) expect(existsSync(`${root}${path}`), path).toBe(true);
      }
      if (build) expect(existsSync(`${root}${build.dockerfile}`)).toBe(true);
    }
  });

  it('calls its services by their names', () => {
    const kong = read('kong/compose/kong.yml');
    for (const [, host = ''] of kong.matchAll(/https?:\/\/([a-z-]+):/g)) {
      expect(Object.keys(compose.services)).toContain(host);
    }
  });
});

describe('the curl lines of docker-compose.yml', () => {
  let rig: Rig;
  beforeAll(async () => {
    const rules = parse(read('kong/compose/rules.yaml')) as { rules: RuleInput[] };
    expect(parseRules(rules).length).toBeGreaterThan(0);
    rig = await startRig({ host: 'ping-auth-pluginserver', rules: rules.rules });
  });
  afterAll(() => rig?.close());

  const lines = [
    ...read('docker-compose.yml').matchAll(/^# +curl -i localhost:8000(\S+)(?: -H '(.*?)')? +(.*)$/gm),
  ];

  it.each(lines.map(([, path = '', header, promise = '']) => ({ path, header, promise })))(
    '$path $header: $promise',
    async ({ path, header, promise }) => {
      const [name = '', value = ''] = header?.split(': ') ?? [];
      await rig.clear();
      const { status } = await rig.send({ path, ...(header !== undefined && { headers: [[name, value]] }) });
      const [upstream] = rig.upstreamRequests();
      if (promise.startsWith('denied')) {
        expect(status).toBe(Number(/\d{3}$/.exec(promise)?.[0]));
        expect(upstream).toBeUndefined();
      } else {
        expect(status).toBe(200);
        if (promise.includes('does not reach')) expect(JSON.stringify(upstream)).not.toMatch(/x-debug/i);
      }
    },
  );

  it('are three', () => {
    expect(lines).toHaveLength(3);
  });
});
