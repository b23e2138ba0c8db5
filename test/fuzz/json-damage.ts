import fc from 'fast-check';
import { oddText } from './fuzz.js';

/** JSON as a tree that can hold what JSON.stringify cannot write: members twice, numbers out of range, plain nonsense. */
type Node =
  | { readonly kind: 'object'; readonly members: [string, Node][] }
  | { readonly kind: 'array'; readonly items: Node[] }
  | { readonly kind: 'raw'; text: string };

/** One thing that is done to a JSON text; `at` and `pick` choose where, modulo what is there. */
export interface JsonDamage {
  readonly how: (typeof HOWS)[number];
  readonly at: number;
  readonly pick: number;
  readonly text: string;
}

const HOWS = [
  'drop',
  'duplicate',
  'duplicate with another value',
  'rename',
  'retype',
  'nest',
  'edit text',
  'insert',
  'swap',
] as const;

/** Values of the wrong kind, and ones that are nearly right. */
const ODD_VALUES = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '200',
  '403.0',
  '2e2',
  '1e400',
  '-1',
  '99999999999999999999',
  '0.1',
  '""',
  '"200"',
  '" 200"',
  '"0200"',
  '"２００"',
  '{}',
  '[]',
  '[[]]',
  '[null]',
  '[{}]',
  '{"a":1}',
  '[{"x":"1","y":"2"}]',
  '[["x","1"]]',
  '{"x":"1"}',
  '[{"x":null}]',
  '[{"x":["1"]}]',
  '[{"__proto__":"1"}]',
  '{"__proto__":{"method":"GET"}}',
  '{"response":{"response_code":"200","headers":[]}}',
  'NaN',
  'undefined',
  "'x'",
  '"\\ud800"',
  '"\\u0000"',
];

const ODD_NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toString',
  'response',
  'Response',
  'response ',
  'METHOD',
  'method',
  'url',
  'headers',
  'body',
  'state',
  'response_code',
  'content-length',
  'Content-Length',
  'transfer-encoding',
  'transfer_encoding',
  'connection',
  'host',
  'x-forwarded-for',
  'accept-encoding',
  'x-ping-auth',
  'X Space',
  'x:colon',
  'x\r\ny',
  '',
];

export const jsonDamages: fc.Arbitrary<JsonDamage[]> = fc.array(
  fc.record({
    how: fc.constantFrom(...HOWS),
    at: fc.nat(),
    pick: fc.nat(),
    text: fc.oneof(oddText, fc.constantFrom(...ODD_NAMES)),
  }),
  { minLength: 1, maxLength: 4, size: '-1' },
);

/** The text of a JSON value after all the damage. */
export function damagedJson(value: unknown, damages: readonly JsonDamage[]): string {
  const root: Node = { kind: 'array', items: [nodeOf(value)] };
  for (const damage of damages) apply(root, damage);
  return root.items.map(write).join('');
}

function apply(root: Node, { how, at, pick, text }: JsonDamage): void {
  const places = placesIn(root);
  const place = places[at % places.length];
  if (place === undefined) return;
  const { parent, index } = place;
  const node = valueAt(parent, index);
  const odd: Node = { kind: 'raw', text: ODD_VALUES[pick % ODD_VALUES.length] ?? 'null' };
  switch (how) {
    case 'drop':
      if (parent !== root) remove(parent, index);
      return;
    case 'duplicate':
      insert(parent, root, nameAt(parent, index), node);
      return;
    case 'duplicate with another value':
      insert(parent, root, nameAt(parent, index), odd);
      return;
    case 'rename':
      if (parent.kind === 'object') parent.members[index] = [text, node];
      return;
    case 'retype':
      replace(parent, index, odd);
      return;
    case 'nest': {
      const depth = 1 + (pick % 3 === 0 ? 5000 : pick % 3);
      replace(parent, index, {
        kind: 'raw',
        text: '['.repeat(depth) + write(node) + ']'.repeat(depth),
      });
      return;
    }
    case 'edit text':
      if (node.kind === 'raw') replace(parent, index, { kind: 'raw', text: edited(node.text, pick, text) });
      return;
    case 'insert':
      insert(node.kind === 'raw' ? parent : node, root, text, odd);
      return;
    case 'swap': {
      const other = places[pick % places.length];
      // A node inside itself would never end.
      if (other === undefined || node.kind !== 'raw') return;
      const value = valueAt(other.parent, other.index);
      if (value.kind !== 'raw') return;
      replace(parent, index, value);
      replace(other.parent, other.index, node);
    }
  }
}

/** Puts text into a string, as it stands or escaped; breaks up anything else. */
function edited(json: string, pick: number, text: string): string {
  if (!json.startsWith('"')) return pick % 2 === 0 ? JSON.stringify(text) : json + text;
  const inner = json.slice(1, -1);
  const at = pick % (inner.length + 1);
  const piece = pick % 7 === 0 ? text : JSON.stringify(text).slice(1, -1);
  return `"${inner.slice(0, at)}${piece}${inner.slice(at)}"`;
}

type Parent = Extract<Node, { kind: 'object' | 'array' }>;

function placesIn(node: Node): { parent: Parent; index: number }[] {
  if (node.kind === 'raw') return [];
  const children = node.kind === 'object' ? node.members.map(([, child]) => child) : node.items;
  return children.flatMap((child, index) => [{ parent: node, index }, ...placesIn(child)]);
}

function valueAt(parent: Parent, index: number): Node {
  const node = parent.kind === 'object' ? parent.members[index]?.[1] : parent.items[index];
  return node ?? { kind: 'raw', text: 'null' };
}

function nameAt(parent: Parent, index: number): string {
  return parent.kind === 'object' ? (parent.members[index]?.[0] ?? '') : '';
}

function replace(parent: Parent, index: number, node: Node): void {
  if (parent.kind === 'array') parent.items[index] = node;
  else parent.members[index] = [nameAt(parent, index), node];
}

function remove(parent: Parent, index: number): void {
  if (parent.kind === 'object') parent.members.splice(index, 1);
  else parent.items.splice(index, 1);
}

function insert(parent: Parent, root: Node, name: string, node: Node): void {
  if (parent === root) return;
  if (parent.kind === 'object') parent.members.push([name, node]);
  else parent.items.push(node);
}

function nodeOf(value: unknown): Node {
  if (Array.isArray(value)) return { kind: 'array', items: value.map(nodeOf) };
  if (typeof value !== 'object' || value === null) return { kind: 'raw', text: JSON.stringify(value) };
  return { kind: 'object', members: Object.entries(value).map(([name, child]) => [name, nodeOf(child)]) };
}

function write(node: Node): string {
  if (node.kind === 'raw') return node.text;
  if (node.kind === 'array') return `[${node.items.map(write).join(',')}]`;
  return `{${node.members.map(([name, child]) => `${JSON.stringify(name)}:${write(child)}`).join(',')}}`;
}
