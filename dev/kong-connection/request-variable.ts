import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The file that an admin includes into nginx's configuration. */
export const HTTP_INCLUDE = fileURLToPath(new URL('../../kong/nginx/ping-auth-http.conf', import.meta.url));

const TEMPLATE = /default "([^"]*)"/.exec(readFileSync(HTTP_INCLUDE, 'utf8'))?.[1] ?? '';

/** What nginx makes of `$ping_auth_request`; a variable without a value is empty. */
export function requestVariable(
  values: Readonly<Record<string, string | number | null | undefined>>,
): string {
  return TEMPLATE.replace(/\$(\w+)/g, (_all, name: string) => String(values[name] ?? ''));
}
