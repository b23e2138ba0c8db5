import { isJsonObject, type JsonObject, parseJson } from '../../../http/text.js';
import { readEventStream } from '../../../mcp/event-stream.js';
import { type Finding, failed, ok } from '../finding.js';
import { postMessage, type Reply } from './http.js';

const MODERN = '2026-07-28';
const LEGACY = '2025-11-25';
const META = 'io.modelcontextprotocol/';
const CLIENT = { name: 'ping-auth-check', version: '1' };
/** More names would be a page of them. */
const SHOWN_TOOLS = 10;

/** `tools/list` as revision 2026-07-28 has it. */
export const MODERN_LIST = {
  message: {
    ...{ jsonrpc: '2.0', id: 1, method: 'tools/list' },
    params: {
      _meta: {
        [`${META}protocolVersion`]: MODERN,
        [`${META}clientInfo`]: CLIENT,
        [`${META}clientCapabilities`]: {},
      },
    },
  },
  headers: { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/list' },
} as const;

/** Lists the tools with a token, in the revision that the server knows. */
export async function listTools(url: string, token: string, timeoutMs: number): Promise<Finding> {
  const authorization = { authorization: `Bearer ${token}` };
  const send = (message: object, headers: Readonly<Record<string, string>>) =>
    postMessage(url, message, { ...authorization, ...headers }, timeoutMs);
  try {
    const modern = await send(MODERN_LIST.message, MODERN_LIST.headers);
    if (modern.status === 401 || modern.status === 403) return refused(modern);
    const tools = toolsIn(modern) ?? toolsIn(await listWithSession(send));
    if (tools === undefined) {
      const remedy = 'look into the log of ping-auth for the decision, and into that of the MCP server';
      return failed('tools', `tools/list is answered with ${describe(modern)}`, remedy);
    }
    const names = tools.slice(0, SHOWN_TOOLS).join(', ') + (tools.length > SHOWN_TOOLS ? ', …' : '');
    return ok('tools', `${tools.length} tools with this token${names === '' ? '' : `: ${names}`}`);
  } catch (thrown) {
    return failed('tools', (thrown as Error).message, 'check the route in Kong and the MCP server behind it');
  }
}

/** Revisions up to 2025-11-25 start with a handshake. */
async function listWithSession(
  send: (message: object, headers: Readonly<Record<string, string>>) => Promise<Reply>,
): Promise<Reply> {
  const params = { protocolVersion: LEGACY, capabilities: {}, clientInfo: CLIENT };
  const opened = await send({ jsonrpc: '2.0', id: 1, method: 'initialize', params }, {});
  const session = opened.headers.get('mcp-session-id');
  const headers = {
    'mcp-protocol-version': LEGACY,
    ...(session === null ? {} : { 'mcp-session-id': session }),
  };
  await send({ jsonrpc: '2.0', method: 'notifications/initialized' }, headers);
  return send({ jsonrpc: '2.0', id: 2, method: 'tools/list', params: {} }, headers);
}

function refused({ status }: Reply): Finding {
  return failed(
    'tools',
    `tools/list with the token is answered with ${status}`,
    'check that the token is valid for this resource and has the scopes, and what the policy says about tools/list',
  );
}

function toolsIn(reply: Reply): string[] | undefined {
  const result = messageIn(reply)?.result;
  const tools = isJsonObject(result) ? result.tools : undefined;
  if (!Array.isArray(tools)) return undefined;
  return tools.filter(isJsonObject).map(({ name }) => printable(String(name)));
}

function messageIn({ status, headers, text }: Reply): JsonObject | undefined {
  if (status !== 200) return undefined;
  const isStream = headers.get('content-type')?.startsWith('text/event-stream') === true;
  const message = parseJson(isStream ? (readEventStream(text).messages?.at(-1) ?? '') : text);
  return isJsonObject(message) ? message : undefined;
}

function describe(reply: Reply): string {
  const error = messageIn(reply)?.error;
  const words = isJsonObject(error) ? `the error ${String(error.code)}: ${String(error.message)}` : '';
  return words === '' ? `status ${reply.status}` : printable(words);
}

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, '?').slice(0, 200);
}
