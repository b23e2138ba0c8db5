import type { HeaderList } from '../exchange/header-list.js';
import { canonicalName } from '../exchange/header-rules.js';
import type { KongPdk } from './kong-pdk.js';

/** What X-Forwarded-* of a trusted proxy can change. Whom to trust and how to read them, only Kong knows. */
export type ForwardedPart = 'scheme' | 'host' | 'port';

const CHANGED_BY: Readonly<Record<string, readonly ForwardedPart[]>> = {
  'x-forwarded-proto': ['scheme'],
  // Its port counts too when there is no X-Forwarded-Port.
  'x-forwarded-host': ['host', 'port'],
  'x-forwarded-port': ['port'],
};

/** The parts that the request's headers may change; nginx reads `X_Forwarded_Proto` as the same header. */
export function forwardedParts(headers: HeaderList): ReadonlySet<ForwardedPart> {
  const parts = new Set<ForwardedPart>();
  for (const [name] of headers) {
    if (!name.startsWith('x')) continue;
    for (const part of CHANGED_BY[canonicalName(name)] ?? []) parts.add(part);
  }
  return parts;
}

export type ForwardedAnswers = Partial<Record<ForwardedPart, unknown>>;

/** Asks Kong; the calls go out in the same turn as those of the caller. */
export async function askForwarded(kong: KongPdk, parts: Iterable<ForwardedPart>): Promise<ForwardedAnswers> {
  const answers: ForwardedAnswers = {};
  const calls = Array.from(parts, async (part) => {
    answers[part] = await CALL[part](kong);
  });
  await Promise.all(calls);
  return answers;
}

const CALL: Readonly<Record<ForwardedPart, (kong: KongPdk) => Promise<unknown>>> = {
  scheme: (kong) => kong.request.getForwardedScheme(),
  host: (kong) => kong.request.getForwardedHost(),
  port: (kong) => kong.request.getForwardedPort(),
};
