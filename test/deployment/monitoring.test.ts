// The alert rules and the dashboard ask for metrics that exist, under labels that they have.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ERRORS } from '../../src/errors/catalogue.js';
import { aggregateSnapshots, createMetrics } from '../../src/telemetry/metrics.js';
import { providerStatus } from '../support/provider-status.js';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

const Rules = z.strictObject({
  groups: z.array(
    z.strictObject({
      name: z.string(),
      rules: z.array(
        z.strictObject({
          alert: z.string().regex(/^PingAuth[A-Za-z]+$/),
          expr: z.string(),
          for: z
            .string()
            .regex(/^\d+[smh]$/)
            .optional(),
          labels: z.strictObject({ severity: z.enum(['warning', 'critical']) }),
          annotations: z.strictObject({ summary: z.string(), description: z.string() }),
        }),
      ),
    }),
  ),
});
const Dashboard = z.looseObject({
  title: z.string(),
  uid: z.string(),
  panels: z.array(
    z.looseObject({
      id: z.number(),
      title: z.string(),
      type: z.enum(['stat', 'timeseries']),
      description: z.string(),
      gridPos: z.strictObject({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.looseObject({ expr: z.string(), refId: z.string() })).min(1),
    }),
  ),
});

const rules = Rules.parse(parse(read('kong/prometheus/ping-auth-alerts.yml'))).groups.flatMap(
  (group) => group.rules,
);
const dashboard = Dashboard.parse(JSON.parse(read('kong/grafana/ping-auth-dashboard.json')));

/** Name → labels of every series that the plugin server shows. */
const series = new Map<string, Set<string>>([['up', new Set(['job'])]]);
beforeAll(async () => {
  const metrics = await createMetrics();
  metrics.watch({ providers: () => [providerStatus('https://pa', { circuit: 'open' })] });
  metrics.decision({ phase: 'access', outcome: 'refuse', code: 'provider_timeout', providerMs: 1 });
  metrics.shadow({ phase: 'access', result: 'different', routeId: 'r' });
  const { text } = await aggregateSnapshots([await metrics.snapshot()]);
  for (const [, name = '', labels = ''] of text.matchAll(/^([a-z_0-9]+)(?:\{(.*)\})? /gm)) {
    const known = series.get(name) ?? new Set(['instance']);
    for (const [, label = ''] of labels.matchAll(/([a-z_]+)="/g)) known.add(label);
    series.set(name, known);
  }
});

function checkExpression(expr: string): void {
  const uses = [
    ...expr.matchAll(/\b((?:ping_auth|nodejs|process)_[a-z0-9_]+|up)(?:\{([^}]*)\})?(?=[[\s)]|$)/g),
  ];
  expect(uses.length).toBeGreaterThan(0);
  const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels]) => labels?.split(', ') ?? []);
  for (const [, name = '', selector = ''] of uses) {
    expect([...series.keys()]).toContain(name);
    const labels = [...selector.matchAll(/([a-z_]+)(?:=~|=|!=)"/g)].map(([, label]) => label);
    for (const label of [...labels, ...grouped]) expect([...(series.get(name) ?? [])]).toContain(label);
  }
  for (const [, pattern = ''] of expr.matchAll(/code=~?"([^"]*)"/g)) {
    const codes = Object.keys(ERRORS);
    for (const one of pattern.split('|'))
      expect(
        codes.some((code) => new RegExp(`^${one}$`).test(code)),
        one,
      ).toBe(true);
  }
}

describe('alert rules', () => {
  it.each(rules)('$alert', ({ expr, annotations }) => {
    checkExpression(expr);
    for (const [, label = ''] of annotations.description.matchAll(/\$labels\.([a-z_]+)/g)) {
      expect(`instance, ${expr}`).toContain(label);
    }
  });

  it('have names of their own', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  });
});

describe('dashboard', () => {
  it.each(dashboard.panels)('$title', ({ targets }) => {
    for (const { expr } of targets) checkExpression(expr);
  });

  it('has panels that do not lie on each other', () => {
    const taken = new Set<string>();
    for (const { gridPos, title } of dashboard.panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.has(`${x},${y}`), title).toBe(false);
          taken.add(`${x},${y}`);
        }
      }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});
