import {
  PLAIN_GET,
  requestReplies,
  responseReplies,
  variableReply,
} from '../../dev/kong-connection/request-replies.js';
import type { RuleInput } from '../../dev/policy-provider/rules.js';

export interface Scenario {
  readonly name: string;
  /** What the policy decides. */
  readonly rules: readonly RuleInput[];
  /** What Kong answers to the plugin's reads. */
  kong(variable: boolean): Record<string, unknown>;
}

const UPSTREAM = responseReplies(
  200,
  {
    'content-type': 'application/json',
    'content-length': '13',
    'x-internal': 'a',
    'x-kong-upstream-latency': '1',
  },
  Buffer.from('{"answer":42}'),
);

/** A GET without a body, over any of Kong's answers. */
function get(replies: Readonly<Record<string, unknown>> = {}): Scenario['kong'] {
  return (variable) => ({
    ...requestReplies(PLAIN_GET),
    ...UPSTREAM,
    ...(variable && variableReply(PLAIN_GET)),
    ...replies,
  });
}

const POSTED = {
  'kong.request.get_headers': {
    host: 'api.example:8000',
    'content-type': 'text/plain',
    'content-length': '1024',
  },
  'kong.request.get_raw_body': Buffer.alloc(1024, 'x'),
};

const PROXIED = {
  'kong.request.get_headers': {
    host: 'api.example:8000',
    'x-forwarded-for': '198.51.100.9',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '443',
  },
  'kong.request.get_forwarded_scheme': 'https',
  'kong.request.get_forwarded_port': 443,
};

export const SCENARIOS: readonly Scenario[] = [
  { name: 'GET, nothing changed', rules: [], kong: get() },
  { name: 'GET behind a load balancer', rules: [], kong: get(PROXIED) },
  { name: 'POST of 1 kB, nothing changed', rules: [], kong: get(POSTED) },
  {
    name: 'GET, denied',
    rules: [{ name: 'deny', match: { phase: 'request' }, deny: { status: 403, body: 'no' } }],
    kong: get(),
  },
  {
    name: 'GET, headers, path and query changed',
    rules: [
      {
        name: 'change',
        match: { phase: 'request' },
        change: {
          path: '/others',
          query: { set: { y: '2' } },
          headers: { set: { 'x-a': '1', 'x-b': '2' }, remove: ['accept', 'x-two'] },
        },
      },
    ],
    kong: get(),
  },
  {
    name: 'POST of 1 kB, body changed',
    rules: [{ name: 'change', match: { phase: 'request' }, change: { body: 'new' } }],
    kong: get(POSTED),
  },
  {
    name: 'response, headers and status changed',
    rules: [
      {
        name: 'filter',
        match: { phase: 'response' },
        rewrite: { status: 202, headers: { set: { 'x-a': '1', 'x-b': '2' }, remove: ['x-internal'] } },
      },
    ],
    kong: get(),
  },
  {
    name: 'response, body filtered',
    rules: [{ name: 'filter', match: { phase: 'response' }, rewrite: { strip: ['answer'] } }],
    kong: get(),
  },
];
