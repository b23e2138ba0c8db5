import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import { type HeaderField, HeaderList } from '../../src/http/headers.js';
import type { HttpResponse, ResponseToSend } from '../../src/http/message.js';
import { denialForAgent, errorResponseForAgent } from '../../src/mcp/denial.js';
import type { McpMessage } from '../../src/mcp/message.js';
import { readMcpRequest } from '../../src/mcp/request.js';
import { readMcpResponse } from '../../src/mcp/response.js';
import { errorResponse } from '../../src/plugin/error-response.js';
import { bytes, text } from '../model/messages.js';

export type Send = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** What the policy says; it sees what it is shown, and nothing else. */
export interface Policy {
  /** A denial, or undefined for a permit. */
  readonly request?: (headers: HeaderList) => ResponseToSend | undefined;
  /** The text that goes to the client in place of this one. */
  readonly response?: (text: string, headers: HeaderList) => string;
  /** `mcp_denials`. */
  readonly denials?: 'http';
}

/** One exchange on its way through the rules for MCP. */
export interface Passage {
  readonly http: string;
  readonly mcpMethod: string | undefined;
  readonly mcpName: string | undefined;
  /** HTTP status for the client. */
  status?: number;
  /** Content type that the server sent. */
  serverType?: string;
  /** JSON-RPC method and reason of a refusal, for tests that expect none. */
  refused?: string;
}

/**
 * The way of a request through src/mcp/ alone, without plugin and Kong: a fetch for the official SDK's clients that reads,
 * asks, sends, reads and asks again. Responses are buffered, as Kong does.
 */
export function mcpPath(send: Send, policy: Policy = {}): { fetch: Send; passages: Passage[] } {
  const passages: Passage[] = [];
  const exchange = async (
    url: string | URL,
    init: RequestInit,
    passage: (made: Passage) => Passage,
  ): Promise<ResponseToSend> => {
    const http = init.method ?? 'GET';
    const headers = HeaderList.from(new Headers(init.headers) as unknown as Iterable<HeaderField>);
    let message: McpMessage | undefined;
    try {
      const read = readMcpRequest({ method: http, headers }, String(init.body ?? ''), true);
      message = read?.message;
      const shown = read?.headers ?? headers;
      const made = passage({ http, mcpMethod: shown.get('mcp-method'), mcpName: shown.get('mcp-name') });
      const denial = policy.request?.(shown);
      if (denial !== undefined)
        return policy.denials === 'http' ? denial : denialForAgent(denial, message?.id);
      const response = await upstream(send, url, init);
      made.serverType = response.headers.get('content-type') ?? '';
      if (message === undefined) return response;
      const forClient = readMcpResponse(response, text(response.body), message.id);
      const body = text(forClient.body) ?? '';
      return { ...forClient, body: bytes(policy.response?.(body, shown) ?? body) };
    } catch (error) {
      if (!(error instanceof PingAuthError)) throw error;
      passage({ http, mcpMethod: message?.method, mcpName: undefined }).refused = error.message;
      return errorResponseForAgent(errorResponse(error, undefined, 'r1'), error, message?.id);
    }
  };
  const fetch: Send = async (url, init = {}) => {
    let current: Passage | undefined;
    const { status, headers, body } = await exchange(url, init, (made) => {
      if (current === undefined) passages.push(made);
      current ??= made;
      return current;
    });
    if (current !== undefined) (current as Passage).status = status;
    const bodiless = status === 204 || status === 202;
    return new Response(bodiless ? null : Buffer.from(body), {
      status,
      headers: [...headers].filter(([name]) => name !== 'content-length') as [string, string][],
    });
  };
  return { fetch, passages };
}

async function upstream(send: Send, url: string | URL, init: RequestInit): Promise<HttpResponse> {
  const response = await send(url, init);
  return {
    status: response.status,
    headers: HeaderList.from(response.headers as unknown as Iterable<HeaderField>),
    body: new Uint8Array(await response.arrayBuffer()),
  };
}
