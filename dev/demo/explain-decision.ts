import type { JsonValue } from '../policy-provider/rules.js';

type JsonObject = Readonly<Record<string, JsonValue>>;

/** A sideband decision in words: what it denies, or what it wants otherwise than it was shown. */
export function explainDecision(shown: JsonObject, answer: JsonObject, status: number): string[] {
  if (Object.keys(answer).length === 0) return [`an error: ${status}`];
  const denied = answer.response;
  if (typeof denied === 'object' && denied !== null && !Array.isArray(denied)) {
    return [`deny with ${denied.response_code} ${denied.response_status}`];
  }
  const changes = [
    ...['method', 'url', 'response_code', 'body']
      .filter((name) => isComparable(name, shown) && answer[name] !== shown[name])
      .map((name) => `${name} → ${answer[name] ?? '(none)'}`),
    ...headerChanges(shown.headers, answer.headers),
  ];
  const decision = 'response_code' in shown ? 'let it out' : 'permit';
  const remembered = 'state' in answer ? [`keep for later: ${JSON.stringify(answer.state)}`] : [];
  if (changes.length === 0) return [`${decision}, nothing changed`, ...remembered];
  return [`${decision}, changed:`, ...changes.map((line) => `  ${line.trimEnd()}`), ...remembered];
}

/** The answer to the response call does not repeat method and URL. */
function isComparable(name: string, shown: JsonObject): boolean {
  return name === 'body' || name === 'response_code' || !('response_code' in shown);
}

function headerChanges(before: JsonValue | undefined, after: JsonValue | undefined): string[] {
  const [old, wanted] = [fields(before), fields(after)];
  return [
    ...old.filter((field) => !wanted.includes(field)).map((field) => `- ${field}`),
    ...wanted.filter((field) => !old.includes(field)).map((field) => `+ ${field}`),
  ];
}

function fields(headers: JsonValue | undefined): string[] {
  if (!Array.isArray(headers)) return [];
  return headers.flatMap((pair) =>
    typeof pair === 'object' && pair !== null
      ? Object.entries(pair).map(([name, value]) => `${name}: ${value}`)
      : [],
  );
}
