import { ERRORS, type ErrorCode, type ErrorEntry } from '../../src/errors/catalogue.js';
import { clientCode } from '../../src/plugin/error-response.js';
import { ERROR_GUIDE } from './error-guide.js';

const FAIL_OPEN = {
  never: 'never fails open',
  unreachable: '**may fail open**, if switched on',
  unavailable: '**may fail open**, if switched on with `fail_open_scope: unavailable`',
} as const;

/** Sections of docs/errors.md, in the order of the page. A code belongs to the first section that fits. */
const SECTIONS: readonly (readonly [
  title: string,
  introduction: string,
  fits: (code: ErrorCode) => boolean,
])[] = [
  [
    'The policy provider',
    'The provider was asked, or should have been. `ping-auth check` tests for most of these. In the access phase nothing reaches the upstream; in the response phase the response is withheld, without one header or byte of the upstream.',
    (code) => code.startsWith('provider_') || code === 'directive_invalid',
  ],
  ['MCP', 'Routes with `mcp: true`.', (code) => code.startsWith('mcp_')],
  [
    "The client's request",
    'ping-auth refuses the request before it asks the policy provider. These never fail open, and Kong does not log them at its default level.',
    (code) => /^(http2|upgrade|method|request|too_many_request|client)_/.test(code),
  ],
  [
    "The upstream's response",
    'The upstream was reached. ping-auth withholds the response.',
    (code) => /^(response|too_many_response)_/.test(code),
  ],
  ['The plugin and its configuration', '', () => true],
];

/** Every code with what the client gets, its cause and its fix. */
export function errorPage(): string {
  const codes = Object.keys(ERRORS) as ErrorCode[];
  const titleOf = (code: ErrorCode) => SECTIONS.find(([, , fits]) => fits(code))?.[0];
  return SECTIONS.map(([title, introduction]) => {
    const parts = codes.filter((code) => titleOf(code) === title).map(section);
    return [`## ${title}`, ...(introduction === '' ? [] : [introduction]), ...parts].join('\n\n');
  }).join('\n\n');
}

function section(code: ErrorCode): string {
  const entry: ErrorEntry = ERRORS[code];
  const { cause, fix } = ERROR_GUIDE[code];
  const status = entry.status === 502 ? '502, or `error_status`' : String(entry.status);
  const facts = [
    `Client: ${status}, \`${clientCode(entry.status)}\``,
    `log level: ${entry.level}`,
    FAIL_OPEN[entry.failOpenScope ?? 'never'],
  ];
  return [`### \`${code}\``, facts.join(' · '), `**Cause.** ${cause}`, `**Fix.** ${fix}`].join('\n\n');
}
