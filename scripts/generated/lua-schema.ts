/** A JSON value as Lua source, two spaces a level. Object keys keep their order. */
export function toLua(value: unknown, indent = ''): string {
  if (typeof value === 'string') return luaString(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object' || value === null) throw new TypeError(`no Lua for ${String(value)}`);
  const inner = `${indent}  `;
  const items = Array.isArray(value)
    ? value.map((item) => toLua(item, inner))
    : Object.entries(value).map(([key, item]) => `${luaKey(key)} = ${toLua(item, inner)}`);
  if (items.length === 0) return '{}';
  const oneLine = `{ ${items.join(', ')} }`;
  if (oneLine.length + indent.length <= 100 && !oneLine.includes('\n')) return oneLine;
  return `{\n${items.map((item) => `${inner}${item},\n`).join('')}${indent}}`;
}

function luaKey(key: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? key : `[${luaString(key)}]`;
}

function luaString(text: string): string {
  const escaped = text.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
  return `"${escaped}"`;
}
