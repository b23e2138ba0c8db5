import type { ClientResponse } from '../../dev/http-client.js';
import type { SidebandCall } from '../../dev/policy-provider/call-log.js';
import type { ReceivedRequest } from '../../dev/upstream/answers.js';

/** All values of a header of a request that reached the upstream. */
export function headersOf(request: ReceivedRequest | undefined, name: string): string[] {
  const wanted = name.toLowerCase();
  return (request?.headers ?? [])
    .filter(([candidate]) => candidate.toLowerCase() === wanted)
    .map(([, value]) => value);
}

/** The headers that a sideband call showed to the policy, in order. */
export function shownHeaders(call: SidebandCall | undefined): [string, string][] {
  const payload = call?.payload;
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return [];
  const { headers } = payload;
  if (!Array.isArray(headers)) return [];
  return headers.flatMap((pair) => Object.entries(pair as Record<string, string>));
}

/** The upstream's ordinary answer: what it received. */
export function echoed(answer: ClientResponse): Partial<ReceivedRequest> {
  return answer.json() as Partial<ReceivedRequest>;
}
