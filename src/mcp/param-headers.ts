import type { HeaderList } from '../http/header-list.js';
import { canonicalName, isToken } from '../http/header-rules.js';
import { isJsonObject } from '../http/text.js';
import { decodeValue, requiresHeaders, VERSION_HEADER } from './headers.js';
import type { McpMessage } from './message.js';
import { readStrictJson } from './strict-json.js';

/** An argument that a tool's schema has clients repeat in a header. */
export interface ParamHeader {
  /** `mcp-param-region`. */
  readonly header: string;
  /** Where the argument stands in `arguments`, from outside in. */
  readonly path: readonly string[];
}

/** Bounds what one server, or a client that tries many URLs, can make us keep. */
const MAX_TOOLS = 2000;

/**
 * Which tools have `Mcp-Param-*` headers, as the servers' own lists say (revision 2026-07-28). It knows what it has seen
 * since its process started, so a check by it is a help against mistakes, and nothing that a policy can rely on.
 */
export class KnownParamHeaders {
  readonly #tools = new Map<string, readonly ParamHeader[]>();

  /**
   * @param server what tells servers from each other, such as host and path of the request
   * @param text a response to `tools/list` as the server sent it, read strictly before
   */
  learn(server: string, text: string): void {
    const { value } = readStrictJson(text);
    const result = isJsonObject(value) ? value.result : undefined;
    const tools = isJsonObject(result) ? result.tools : undefined;
    if (!Array.isArray(tools)) return;
    for (const tool of tools.filter(isJsonObject)) {
      if (typeof tool.name !== 'string') continue;
      const key = keyOf(server, tool.name);
      this.#tools.delete(key);
      this.#tools.set(key, paramHeadersOf(tool.inputSchema));
    }
    for (const oldest of this.#tools.keys()) {
      if (this.#tools.size <= MAX_TOOLS) return;
      this.#tools.delete(oldest);
    }
  }

  /** What the headers of a call say otherwise than its arguments, in words for the client; undefined when nothing is known. */
  disagreement(server: string, message: McpMessage, headers: HeaderList): string | undefined {
    const { method, name, params } = message;
    if (this.#tools.size === 0 || method !== 'tools/call' || name === undefined) return undefined;
    const known = this.#tools.get(keyOf(server, name)) ?? [];
    const isRequired = requiresHeaders(headers.get(VERSION_HEADER));
    for (const one of known) {
      const argument = valueAt(params?.arguments, one.path);
      const wrong = disagreementOf(one.header, argument, headers, isRequired);
      if (wrong !== undefined) return `${one.header} ${wrong}`;
    }
    return undefined;
  }
}

function disagreementOf(
  header: string,
  argument: unknown,
  headers: HeaderList,
  isRequired: boolean,
): string | undefined {
  const values = headers.getAll(header);
  if (values.length > 1 || headers.names().some((name) => name !== header && canonicalName(name) === header))
    return 'occurs twice';
  const [said] = values;
  if (argument === undefined || argument === null) {
    return said === undefined ? undefined : 'says something that is not in the arguments';
  }
  if (said === undefined) return isRequired ? 'is missing' : undefined;
  const value = decodeValue(said);
  if (typeof argument === 'string' && value === argument) return undefined;
  if (typeof argument === 'boolean' && value === String(argument)) return undefined;
  if (typeof argument === 'number' && isDecimal(value) && Number(value) === argument) return undefined;
  return 'is not what the argument is';
}

function isDecimal(value: string | undefined): value is string {
  return value !== undefined && /^-?\d+(?:\.\d+)?$/.test(value);
}

/** Annotations count along chains of `properties` only, as the specification has it; a tool with odd ones has none. */
function paramHeadersOf(schema: unknown): readonly ParamHeader[] {
  const found: ParamHeader[] = [];
  const walk = (properties: unknown, path: readonly string[]): void => {
    if (!isJsonObject(properties)) return;
    for (const [name, property] of Object.entries(properties)) {
      if (!isJsonObject(property)) continue;
      const at = [...path, name];
      const suffix = property['x-mcp-header'];
      if (typeof suffix === 'string' && isToken(suffix)) {
        found.push({ header: `mcp-param-${suffix.toLowerCase()}`, path: at });
      }
      walk(property.properties, at);
    }
  };
  if (isJsonObject(schema)) walk(schema.properties, []);
  return new Set(found.map(({ header }) => header)).size === found.length ? found : [];
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const name of path) {
    if (!isJsonObject(at) || !Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  return at;
}

function keyOf(server: string, tool: string): string {
  return JSON.stringify([server, tool]);
}
