import { parseJson } from '../http/text.js';
import { derivedDecision, isDenial } from '../recordings/derived-decision.js';
import type { Exchange, RecordedPhase } from '../recordings/exchanges.js';
import type { SidebandLine } from '../recordings/log-record.js';
import { pathOf } from '../recordings/message-text.js';
import { type ShadowComparison, shadowComparison } from '../recordings/shadow-comparison.js';
import type { Outcome } from '../telemetry/decision-log.js';
import { textOf } from '../telemetry/gap-marks.js';
import { printable } from '../telemetry/printable.js';
import type { Row, RowPhase } from './wire.js';

/** Characters of a text in the list. */
const SHORT = 300;

/** Of Kong's routes and services, by id. */
export type Names = ReadonlyMap<string, string>;

/** Method and path stand in the decision line, or else in the messages. */
export function toRow(exchange: Exchange, names: Names): Row {
  const { key, time, requestId, access, response } = exchange;
  const { method, path } = target(exchange);
  const route = routeOf(exchange);
  const routeName = route === undefined ? undefined : names.get(route);
  const mcp = access && mcpOf(access);
  return {
    key,
    ...(time !== undefined && { time }),
    ...(requestId !== undefined && { id: short(requestId) }),
    ...(method !== undefined && { method: short(method) }),
    ...(path !== undefined && { path: short(path) }),
    ...(route !== undefined && { route: short(route) }),
    ...(routeName !== undefined && { routeName: short(routeName) }),
    ...(mcp && { mcp }),
    ...(access && { access: toRowPhase(access, 'access') }),
    ...(response && { response: toRowPhase(response, 'response') }),
  };
}

export function toRowPhase(recorded: RecordedPhase, phase: SidebandLine['phase']): RowPhase {
  const { decision, call } = recorded;
  const shadow = shadowComparison(recorded, false);
  const providerMs = decision?.provider_ms ?? call?.ms;
  const derived = decision === undefined && call !== undefined ? derivedDecision(call) : undefined;
  const status = decision?.status ?? derived?.status;
  const code = decision?.code ?? derived?.code;
  const changed = decision?.changed ?? derived?.changed;
  const outcome = decision?.decision ?? derived?.outcome;
  return {
    ...(outcome !== undefined && { outcome: asDenial(outcome, phase, changed ?? [], status) }),
    ...(derived && { isDerived: true }),
    ...(status !== undefined && { status }),
    ...(code !== undefined && { code: short(code) }),
    ...(decision?.detail !== undefined && { detail: short(decision.detail) }),
    ...(providerMs !== undefined && { providerMs }),
    ...(changed && { changed: changed.slice(0, 50).map(short) }),
    ...(shadow && { shadow: shadowRow(shadow) }),
  };
}

function shadowRow({ result, live, shadow, differences }: ShadowComparison): NonNullable<RowPhase['shadow']> {
  return {
    result,
    ...(live !== undefined && { live: short(live) }),
    ...(shadow !== undefined && { shadow: short(shadow) }),
    differences: differences.slice(0, 50).map(short),
  };
}

function asDenial(
  outcome: Outcome,
  phase: SidebandLine['phase'],
  changed: readonly string[],
  status: number | undefined,
): Outcome {
  if (!isDenial(phase, changed, status)) return outcome;
  if (outcome === 'change') return 'deny';
  return outcome === 'monitor_change' ? 'monitor_deny' : outcome;
}

export function routeOf({ access, response }: Exchange): string | undefined {
  return first([access, response], ({ decision, call }) => decision?.route ?? call?.route);
}

export function serviceOf({ access, response }: Exchange): string | undefined {
  return first([access, response], ({ decision, call }) => decision?.service ?? call?.service);
}

function first(
  phases: readonly (RecordedPhase | undefined)[],
  of: (phase: RecordedPhase) => string | undefined,
): string | undefined {
  for (const phase of phases) {
    const value = phase && of(phase);
    if (value !== undefined) return value;
  }
  return undefined;
}

function target({ access, response }: Exchange): { method?: string; path?: string } {
  for (const { decision, call } of [access, response].filter((phase) => phase !== undefined)) {
    const shown = members(call?.payload);
    const method = decision?.method ?? text(shown.method);
    const url = text(shown.url);
    const path = decision?.path ?? (url === undefined ? undefined : pathOf(textOf(url)));
    if (method !== undefined || path !== undefined)
      return { ...(method !== undefined && { method }), ...(path !== undefined && { path }) };
  }
  return {};
}

/** The decision line has it where `mcp` is on; a recording without decision lines has the message itself. */
function mcpOf({ decision, call }: RecordedPhase): Row['mcp'] {
  const { method, name } = decision?.mcp ?? (decision === undefined ? mcpMessageOf(call) : {});
  if (method === undefined) return undefined;
  return { method: short(method), ...(name !== undefined && { name: short(name) }) };
}

function mcpMessageOf(call: SidebandLine | undefined): { method?: string; name?: string } {
  const body = text(members(call?.payload).body);
  if (body === undefined || !body.includes('"jsonrpc"')) return {};
  const message = members(parseJson(textOf(body)));
  const method = text(message.method);
  const { name, uri } = members(message.params);
  const called = text(name) ?? text(uri);
  return { ...(method !== undefined && { method }), ...(called !== undefined && { name: called }) };
}

export function members(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A log line can be made by anybody who can write the file: a name of a megabyte is not sent to the page. */
function short(value: string): string {
  return printable(value.length > SHORT ? `${value.slice(0, SHORT)}…` : value);
}
