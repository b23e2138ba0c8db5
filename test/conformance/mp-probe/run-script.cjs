// Loaded by the stock kong-js-pluginserver: runs a recorded script of PDK calls and writes what comes back to a file.
const { appendFileSync, readFileSync } = require('node:fs');

/** Calls that never come back. */
const LAST = new Set(['kong.response.exit', 'kong.response.error']);

/** All scripts by the case's key; written by the test before the server starts. */
const scripts = JSON.parse(readFileSync(process.env.CONFORMANCE_SCRIPTS, 'utf8'));

async function runScript(kong, config, phase) {
  const tell = (what) =>
    appendFileSync(process.env.CONFORMANCE_RESULTS, `${JSON.stringify({ key: config.key, ...what })}\n`);
  tell({ phase });
  for (const [name, ...args] of scripts[config.key]?.[phase] ?? []) {
    const method = name
      .split('.')
      .slice(1)
      .reduce((target, part) => target[part], kong);
    if (LAST.has(name)) {
      tell({ reply: 'no_reply' });
      await method(...args.map(argument));
      return;
    }
    try {
      tell({ reply: describe(await method(...args.map(argument))) });
    } catch {
      tell({ reply: { $threw: true } });
    }
  }
  tell({ end: 'returned' });
}

/** A recorded argument as plugin code would pass it. */
function argument(value) {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(argument);
  if (typeof value.$b64 === 'string') return new Uint8Array(Buffer.from(value.$b64, 'base64'));
  if (value.$bin !== undefined) return new Uint8Array(Buffer.from(value.$bin.b64, 'base64'));
  if (typeof value.$float64 === 'number') return value.$float64;
  if (typeof value.$string_len === 'number') return (value.head?.[0] ?? 'Z').repeat(value.$string_len);
  if (typeof value.$keys === 'number') {
    return Object.fromEntries(Array.from({ length: value.$keys }, (_, i) => [`X-H${i}`, String(i)]));
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, argument(inner)]));
}

/** A value in the recordings' notation, byte strings as latin1 text. */
function describe(value) {
  if (value === undefined) return { $nothing: true };
  if (typeof value === 'string') return Buffer.from(value).toString('latin1');
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('latin1') };
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(describe);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [describe(key), describe(inner)]));
}

module.exports = { runScript };
