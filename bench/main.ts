// `npm run bench -- NAME [arguments]`: one benchmark. Without a name it lists them; bench/README.md explains each.
const BENCHMARKS: Readonly<Record<string, string>> = {
  calls: 'PDK calls and round trips of one request; exact',
  host: 'our plugin server and the stock kong-js-pluginserver',
  limit: 'our plugin server and a server that does the same job without a check',
  cpu: 'where the CPU time of the plugin server goes',
  json: 'large text bodies: cost, linearity, and how long other requests wait',
  mcp: 'reading MCP messages',
  bodies: 'compressed bodies',
  start: 'start-up time, idle memory, warm-up',
};

const [name, ...args] = process.argv.slice(2);
if (name === undefined || !Object.hasOwn(BENCHMARKS, name)) {
  const list = Object.entries(BENCHMARKS).map(([key, text]) => `  ${key.padEnd(8)}${text}`);
  if (name !== undefined) console.error(`error: there is no benchmark "${name}"`);
  console.error(`Usage: npm run bench -- NAME [arguments]\n\n${list.join('\n')}`);
  process.exit(2);
}
// Each benchmark reads its own arguments, as if it had been started directly.
process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
await import(`./${name}/main.js`);
