import type { Exchange, RecordedPhase } from '../recordings/exchanges.js';
import { pathOf } from '../recordings/message-text.js';
import { printable } from '../telemetry/printable.js';
import type { Row, RowPhase } from './wire.js';

/** Characters of a text in the list. */
const SHORT = 300;

/** Method and path stand in the decision line, or else in the messages. */
export function toRow(exchange: Exchange): Row {
  const { key, time, requestId, access, response } = exchange;
  const { method, path } = target(exchange);
  const decision = access?.decision ?? response?.decision;
  return {
    key,
    ...(time !== undefined && { time }),
    ...(requestId !== undefined && { id: short(requestId) }),
    ...(method !== undefined && { method: short(method) }),
    ...(path !== undefined && { path: short(path) }),
    ...(decision?.route !== undefined && { route: short(decision.route) }),
    ...(access && { access: toRowPhase(access) }),
    ...(response && { response: toRowPhase(response) }),
  };
}

export function toRowPhase({ decision, call }: RecordedPhase): RowPhase {
  const providerMs = decision?.provider_ms ?? call?.ms;
  return {
    ...(decision && { outcome: decision.decision }),
    ...(decision?.status !== undefined && { status: decision.status }),
    ...(decision?.code !== undefined && { code: short(decision.code) }),
    ...(decision?.detail !== undefined && { detail: short(decision.detail) }),
    ...(providerMs !== undefined && { providerMs }),
    ...(decision?.changed && { changed: decision.changed.slice(0, 50).map(short) }),
  };
}

function target({ access, response }: Exchange): { method?: string; path?: string } {
  for (const { decision, call } of [access, response].filter((phase) => phase !== undefined)) {
    const shown = members(call?.payload);
    const method = decision?.method ?? text(shown.method);
    const url = text(shown.url);
    const path = decision?.path ?? (url === undefined ? undefined : pathOf(url));
    if (method !== undefined || path !== undefined)
      return { ...(method !== undefined && { method }), ...(path !== undefined && { path }) };
  }
  return {};
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
