import type { ErrorCode } from '../errors/catalogue.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import type { MessageId } from './message.js';

/** An error of MCP, with what its JSON-RPC answer says. HTTP status and log level stand in the catalogue under `code`. */
export class McpError extends PingAuthError {
  /** JSON-RPC error code: -32700, -32600, -32601, -32020. */
  readonly rpcCode: number;
  /** Why, for the client: in our words, nothing of the inside. */
  readonly words: string;
  /** Of the request; undefined when it could not be read for sure. */
  readonly id: MessageId | undefined;

  constructor(code: ErrorCode & `mcp_${string}`, rpcCode: number, words: string, id?: MessageId) {
    super(code, { detail: words });
    this.rpcCode = rpcCode;
    this.words = words;
    this.id = id;
  }
}
