import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/**
 * Who may see the log: a browser that was opened with the link from the terminal. The link's token is good for one use and
 * is exchanged for a cookie; then there is a new token, for another browser.
 */
export class Access {
  readonly #session = secret();
  #token = secret();

  get token(): string {
    return this.#token;
  }

  /** @returns the cookie's value when the token is right; it is used up by that */
  redeem(token: string): string | undefined {
    if (!isEqual(token, this.#token)) return undefined;
    this.#token = secret();
    return this.#session;
  }

  /** Cookies know no ports: the name has to, or two pages would throw out each other. */
  static cookieName(port: number): string {
    return `ping-auth-inspect-${port}`;
  }

  isLetIn(request: IncomingMessage, port: number): boolean {
    const cookies = (request.headers.cookie ?? '').split(/;\s*/);
    const prefix = `${Access.cookieName(port)}=`;
    return cookies.some(
      (cookie) => cookie.startsWith(prefix) && isEqual(cookie.slice(prefix.length), this.#session),
    );
  }
}

/**
 * Whether the request was meant for this page: a name that an attacker's DNS points to 127.0.0.1 stands in `Host`, and a
 * page of another origin in `Sec-Fetch-Site`. Links from elsewhere are navigations, which may come from anywhere.
 */
export function isMeantForUs(request: IncomingMessage, port: number): boolean {
  const host = request.headers.host ?? '';
  if (![`127.0.0.1:${port}`, `localhost:${port}`].includes(host)) return false;
  const site = request.headers['sec-fetch-site'];
  const isNavigation = request.headers['sec-fetch-mode'] === 'navigate';
  return site === undefined || site === 'same-origin' || site === 'none' || isNavigation;
}

function secret(): string {
  return randomBytes(24).toString('base64url');
}

function isEqual(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
