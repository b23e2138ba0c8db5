import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/**
 * Without a start_cmd Kong runs /usr/local/bin/ and the name of the plugin server, and /usr/local/bin/ping-auth is our tool: no
 * text that somebody copies may call the server `ping-auth`.
 */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COPIED = ['README.md', 'docker-compose.yml', 'docs', 'kong', 'dev/demo', 'dev/kong/README.md'];
/** A line of kong.conf, of its environment, or of Helm's values. */
const SERVER_LINE = /pluginserver_ping_auth_(?!server_|access_server_)\w/i;
const NAMES_LINE = /pluginserver_names['"]?\s*[=:]\s*['"]?(?:[\w-]+,)*ping-auth(?![\w-])/i;

const files = COPIED.flatMap((path) =>
  statSync(ROOT + path).isDirectory()
    ? readdirSync(ROOT + path, { recursive: true, encoding: 'utf8' }).map((name) => `${path}/${name}`)
    : [path],
).filter((path) => statSync(ROOT + path).isFile() && !/\.(png|svg)$/.test(path));

test.each(files)('%s', (path) => {
  const lines = readFileSync(ROOT + path, 'utf8').split('\n');
  expect(lines.filter((line) => SERVER_LINE.test(line) || NAMES_LINE.test(line))).toEqual([]);
});
