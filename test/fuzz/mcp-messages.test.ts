import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withoutApproval } from '../../src/mcp/approval-state.js';
import { readEventStream } from '../../src/mcp/event-stream.js';
import { decodeValue, encodeValue } from '../../src/mcp/headers.js';
import { McpError, readMessage } from '../../src/mcp/message.js';
import { MAX_DEPTH, readStrictJson } from '../../src/mcp/strict-json.js';
import { damaged, damages, fuzzed, oddText } from './fuzz.js';
import { damagedJson, jsonDamages } from './json-damage.js';

const CALL = {
  jsonrpc: '2.0',
  id: 7,
  method: 'tools/call',
  params: {
    name: 'echo',
    arguments: { text: 'é"\\:{', list: [1, { a: 1, b: [] }] },
    _meta: { progressToken: 1 },
  },
};
const RESPONSE = {
  jsonrpc: '2.0',
  id: 'x',
  result: { content: [{ type: 'text', text: 'a:"b"' }], isError: false },
};

/** Messages, any JSON, and both damaged: members twice, renamed, retyped, nested; now and then below JSON as well. */
const texts = fc
  .tuple(
    fc.oneof(fc.constantFrom<unknown>(CALL, RESPONSE), fc.jsonValue({ maxDepth: 4 })),
    fc.oneof({ weight: 1, arbitrary: fc.constant([]) }, { weight: 3, arbitrary: jsonDamages }),
    fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: damages }),
    fc.boolean(),
  )
  .map(([value, plan, below, isEscaped]) => {
    const text = damagedJson(value, plan);
    const bytes = below === undefined ? Buffer.from(text) : damaged(Buffer.from(text), below);
    return isEscaped ? withEscapes(bytes.toString()) : bytes.toString();
  });

describe('strict JSON', () => {
  it('is JSON as JSON.parse reads it, in which no name occurs twice, no half pair and nothing too deep', () => {
    const seen = { read: 0, 'no JSON': 0, 'a member twice': 0, 'half a surrogate pair': 0, 'too deep': 0 };
    fc.assert(
      fc.property(texts, (text) => {
        const { value, fault } = readStrictJson(text);
        if (fault === 'too many values') throw new Error('the fuzzer makes no texts of that size');
        seen[fault ?? 'read'] += 1;
        const parsed = attempt(() => JSON.parse(text) as unknown);
        if (fault === undefined) {
          expect(parsed).toEqual({ value });
          expect(JSON.stringify(value)).toBe(JSON.stringify(parsed?.value));
        }
        // The other way round: what is refused is refused for a reason that a second reader finds as well.
        expect(fault === undefined, text).toBe(parsed !== undefined && new Reader(text).isUnambiguous());
      }),
      fuzzed(4000),
    );
    for (const [what, count] of Object.entries(seen))
      expect(count, `hardly ever ${what}`).toBeGreaterThan(10);
  });

  it('is read alike however names are spelled', () => {
    fc.assert(
      fc.property(oddText, oddText, (a, b) => {
        fc.pre(a.isWellFormed() && b.isWellFormed());
        const text = `{${JSON.stringify(a)}:1,${withEscapes(JSON.stringify(b))}:2}`;
        expect(readStrictJson(text).fault).toBe(a === b ? 'a member twice' : undefined);
      }),
      fuzzed(1000),
    );
  });
});

describe('a message', () => {
  it('is what the value says, or a fault', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const message = readOrFault(text);
        if (message === undefined) return;
        const value = JSON.parse(text) as Record<string, unknown> & { params?: Record<string, unknown> };
        expect(value.jsonrpc).toBe('2.0');
        expect(message.id).toBe(value.id ?? undefined);
        expect(message.kind === 'response').toBe(!Object.hasOwn(value, 'method'));
        if (message.kind === 'response') return;
        expect(message.method).toBe(value.method);
        if (message.method === 'tools/call') expect(message.name).toBe(value.params?.name);
        // No reader that ignores case finds another method, id or name in it.
        for (const name of Object.keys(value)) expect(['METHOD', 'Id', 'ID', 'Params']).not.toContain(name);
        for (const name of Object.keys(value.params ?? {})) expect(['Name', 'NAME']).not.toContain(name);
      }),
      fuzzed(2000),
    );
  });
});

describe('the approval in a retry', () => {
  it('leaves a message that is read alike, with nothing of ours in it', () => {
    const json = fc.jsonValue({ maxDepth: 2 });
    const key = fc.constantFrom('ping-auth-approval', 'form', '__proto__', 'a"\\{');
    const answers = fc.dictionary(key, json, { maxKeys: 3 });
    const inner = fc.record(
      { requestState: oddText.filter((text) => text.isWellFormed()), inputResponses: answers, more: json },
      { requiredKeys: [] },
    );
    const made = inner.map(
      (value) => `ping-auth-approval.1.${Buffer.from(JSON.stringify(value)).toString('base64url')}`,
    );
    const params = fc.record(
      {
        arguments: json,
        inputResponses: fc.oneof(answers, json),
        requestState: fc.oneof(made, fc.constant('of the server'), json),
      },
      { requiredKeys: [] },
    );
    let rewritten = 0;
    fc.assert(
      fc.property(params, fc.boolean(), (some, isEscaped) => {
        const plain = JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { name: 'x', ...some },
        });
        const text = isEscaped ? withEscapes(plain) : plain;
        const message = readOrFault(text);
        fc.pre(message?.kind === 'request');
        if (message?.kind !== 'request') return;
        const result = attempt(() => withoutApproval(message, text))?.value;
        // Not ours, or refused: what came out was no message.
        if (result === undefined) return;
        rewritten += 1;
        expect(readMessage(result.text)).toEqual(result.message);
        expect(result.message.params?.arguments).toEqual(message.params?.arguments);
        expect(Object.keys((result.message.params?.inputResponses ?? {}) as object)).not.toContain(
          'ping-auth-approval',
        );
        // Once is enough.
        expect(withoutApproval(result.message, result.text)).toBeUndefined();
      }),
      fuzzed(1500),
    );
    expect(rewritten).toBeGreaterThan(20);
  });
});

describe('an event stream', () => {
  it('gives the messages that were put into it, however lines end', () => {
    const message = fc.jsonValue().map((value) => JSON.stringify(value));
    const noise = fc.constantFrom(': hello', 'id: 1', 'retry: 10', 'other: x', 'event: message');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(message, fc.array(noise, { maxLength: 3 })), { maxLength: 5 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        (entries, end) => {
          const stream = entries
            .map(([data, lines]) => [...lines, `data: ${data}`, '', ''].join(end))
            .join('');
          expect(readEventStream(stream)).toEqual({ messages: entries.map(([data]) => data) });
        },
      ),
      fuzzed(500),
    );
  });

  it('never throws', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('data', 'event', ':', ' ', '\r', '\n', '{}') }),
        (stream) => {
          const { messages, fault } = readEventStream(stream);
          expect(messages === undefined).toBe(fault !== undefined);
        },
      ),
      fuzzed(500),
    );
  });
});

describe('a name in a header', () => {
  it('comes back, and has one spelling', () => {
    fc.assert(
      fc.property(oddText, (name) => {
        fc.pre(name.isWellFormed() && name !== '');
        const value = encodeValue(name);
        expect(value).toMatch(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/);
        expect(decodeValue(value)).toBe(name);
      }),
      fuzzed(1000),
    );
  });

  it('in another spelling is read alike or not at all', () => {
    fc.assert(
      fc.property(fc.base64String(), fc.boolean(), (base64, isForm) => {
        const value = isForm ? `=?base64?${base64}?=` : base64;
        const name = decodeValue(value);
        if (name === undefined || name === '') return;
        expect(decodeValue(encodeValue(name))).toBe(name);
      }),
      fuzzed(1000),
    );
  });
});

/** undefined for a text that is refused. */
function readOrFault(text: string): ReturnType<typeof readMessage> | undefined {
  try {
    return readMessage(text);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(McpError);
    return undefined;
  }
}

function attempt<T>(read: () => T): { value: T } | undefined {
  try {
    return { value: read() };
  } catch {
    return undefined;
  }
}

/** Some of the characters in strings as \uXXXX: another spelling of the same JSON. */
function withEscapes(json: string): string {
  return json.replaceAll(/"(?:[^"\\]|\\.)*"/gs, (string) =>
    string.replaceAll(/\\u....|\\.|[a-z]/gs, (unit) =>
      unit.length === 1 && unit < 'k' ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}` : unit,
    ),
  );
}

/**
 * Finds in a text that is JSON what JSON.parse does not tell, by going through it token by token: another way than the
 * one that is tested, slow and plain.
 */
class Reader {
  readonly #tokens: string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s"{}[\]:,]+/gs) ?? [];
  }

  isUnambiguous(): boolean {
    const strings = this.#tokens.filter((token) => token.startsWith('"'));
    return strings.every((token) => (JSON.parse(token) as string).isWellFormed()) && this.#value(0);
  }

  #value(depth: number): boolean {
    const token = this.#next();
    if (token === '{') return depth < MAX_DEPTH && this.#members(depth + 1);
    if (token === '[') return depth < MAX_DEPTH && this.#items(depth + 1);
    return true;
  }

  #members(depth: number): boolean {
    const names: string[] = [];
    if (this.#peek() === '}') return this.#skip();
    do {
      const name = JSON.parse(this.#next()) as string;
      if (names.includes(name)) return false;
      names.push(name);
      this.#skip();
      if (!this.#value(depth)) return false;
    } while (this.#next() === ',');
    return true;
  }

  #items(depth: number): boolean {
    if (this.#peek() === ']') return this.#skip();
    do {
      if (!this.#value(depth)) return false;
    } while (this.#next() === ',');
    return true;
  }

  #peek(): string {
    return this.#tokens[this.#at] ?? '';
  }

  #next(): string {
    this.#at += 1;
    return this.#tokens[this.#at - 1] ?? '';
  }

  #skip(): true {
    this.#at += 1;
    return true;
  }
}
