import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { z } from 'zod';
import { parseJson } from '../../../http/text.js';
import { describeTlsFailure, isTlsFailure } from '../../../sideband/network-error.js';
import { wordsFor } from '../../network-errors.js';

/** How Kong's Admin API is reached. */
export interface AdminAccess {
  /** A path in front, as of a workspace of Kong Enterprise, is kept. */
  readonly url: URL;
  /** Sent as `Kong-Admin-Token`. */
  readonly token: string | undefined;
  /** PEM of what to trust in place of Node's list. */
  readonly ca: string | undefined;
  /** Milliseconds for one call. */
  readonly timeoutMs: number;
}

/** The Admin API cannot be read, in words; `remedy` says what to do. Never holds the token. */
export class AdminApiError extends Error {
  override readonly name = 'AdminApiError';
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

/** As many as Kong gives at a time. */
const PAGE_SIZE = 1000;
/** No Kong holds that many pages: one that repeats itself must not keep the command for ever. */
const PAGES_AT_MOST = 1000;
const BYTES_AT_MOST = 64 * 1024 * 1024;

const PageSchema = z.looseObject({ data: z.unknown(), offset: z.string().nullish() });

interface Answer {
  readonly status: number;
  readonly body: string;
  /** The header of that name. */
  readonly server: string;
}

/** Reads, and nothing else. */
export class AdminApi {
  readonly #access: AdminAccess;

  constructor(access: AdminAccess) {
    this.#access = access;
  }

  /**
   * @param path `/schemas/plugins/ping-auth`
   * @returns the JSON, or undefined for 404
   * @throws AdminApiError
   */
  async get(path: string): Promise<unknown> {
    const { status, body } = await this.#call(path);
    return this.#answered(status, body);
  }

  /**
   * What Kong says of itself at `/`, or the version alone: a Kong 3.9 that runs a plugin server itself cannot write its
   * settings down (its own fault: a process is among them), and answers 500 in its own form.
   *
   * @throws AdminApiError
   */
  async information(): Promise<{ readonly json: unknown } | { readonly version: string }> {
    const { status, body, server } = await this.#call('/');
    const [, version] = /^kong\/(\d[\d.]*)/.exec(server) ?? [];
    if (status === 500 && version !== undefined) return { version };
    return { json: this.#answered(status, body) };
  }

  /** All of a collection, page by page. @throws AdminApiError */
  async list(path: string): Promise<readonly unknown[]> {
    const entities: unknown[] = [];
    let offset: string | undefined;
    for (let pages = 0; pages < PAGES_AT_MOST; pages += 1) {
      const query = offset === undefined ? '' : `&offset=${encodeURIComponent(offset)}`;
      const page = PageSchema.safeParse(await this.get(`${path}?size=${PAGE_SIZE}${query}`));
      if (!page.success) throw this.#notAdmin(200, '');
      // An empty list of Lua's may come as {}.
      if (Array.isArray(page.data.data)) entities.push(...page.data.data);
      offset = page.data.offset ?? undefined;
      if (offset === undefined) return entities;
    }
    throw new AdminApiError(`${path} does not come to an end`, 'Kong: look into its error log.');
  }

  #answered(status: number, body: string): unknown {
    if (status === 401 || status === 403) throw this.#refused(status);
    const json = parseJson(body);
    if (status === 404 && json !== undefined && !isProxy(json)) return undefined;
    if (status !== 200 || json === undefined) throw this.#notAdmin(status, body);
    return json;
  }

  #call(path: string): Promise<Answer> {
    const { url, token, ca, timeoutMs } = this.#access;
    const target = new URL(`${url.pathname.replace(/\/$/, '')}${path}`, url);
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const headers = { accept: 'application/json', ...(token !== undefined && { 'kong-admin-token': token }) };
    return new Promise((resolve, reject) => {
      const fail = (code: string) => reject(this.#unreachable(code));
      const call = send(target, {
        agent: false,
        headers,
        signal: AbortSignal.timeout(timeoutMs),
        ...(ca !== undefined && { ca, allowPartialTrustChain: true }),
      });
      call.on('error', (error) => fail(codeOf(error)));
      call.on('response', (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > BYTES_AT_MOST) call.destroy(Object.assign(new Error(), { code: 'ETOOLARGE' }));
          else chunks.push(chunk);
        });
        response.on('error', (error) => fail(codeOf(error)));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString(),
            server: String(response.headers.server ?? ''),
          }),
        );
      });
      call.end();
    });
  }

  #unreachable(code: string): AdminApiError {
    const { host } = this.#access.url;
    if (isTlsFailure(code)) return tlsError(host, code);
    if (code === 'ECONNREFUSED') {
      return new AdminApiError(
        `${host} refuses connections: nothing listens there`,
        'Run this where Kong runs (its Admin API listens on 127.0.0.1:8001 unless admin_listen in kong.conf says otherwise), or correct --admin-url.',
      );
    }
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
      return new AdminApiError(
        `${host} cannot be resolved: ${wordsFor(code)}`,
        'Correct the host in --admin-url.',
      );
    }
    if (code === 'ABORT_ERR' || code === 'ETIMEDOUT') {
      return new AdminApiError(
        `${host} does not answer in time`,
        'Correct --admin-url, or give it more time with --timeout.',
      );
    }
    if (code === 'ECONNRESET') {
      return new AdminApiError(
        `${host} closed the connection`,
        'If that port uses TLS (8444), write https:// in --admin-url.',
      );
    }
    return new AdminApiError(
      `${host} cannot be read: ${wordsFor(code)}`,
      'Correct host and port in --admin-url.',
    );
  }

  #refused(status: number): AdminApiError {
    return this.#access.token === undefined
      ? new AdminApiError(
          `the Admin API wants a token (status ${status})`,
          'Put a token into the environment variable KONG_ADMIN_TOKEN, or name another with --admin-token-env.',
        )
      : new AdminApiError(
          `the Admin API refuses the token (status ${status})`,
          'Kong: check the token, and that its role may read /, /plugins, /schemas, /services and /routes.',
        );
  }

  #notAdmin(status: number, body: string): AdminApiError {
    const { host } = this.#access.url;
    if (body.includes('plain HTTP request was sent to HTTPS port')) {
      return new AdminApiError(`${host} uses TLS`, 'Write https:// in --admin-url.');
    }
    const what = isProxy(parseJson(body))
      ? "Kong's proxy answers"
      : `no Admin API answers (status ${status})`;
    return new AdminApiError(
      `at ${host} ${what}`,
      'Kong: name the address of admin_listen (port 8001, with TLS 8444, unless changed), not that of proxy_listen.',
    );
  }
}

function tlsError(host: string, code: string): AdminApiError {
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH/.test(code)) {
    return new AdminApiError(`${host} does not use TLS (${code})`, 'Write http:// in --admin-url.');
  }
  // The sentences are about the policy provider's configuration; the part before the semicolon holds for every server.
  const words = describeTlsFailure(code, undefined).replace(/;[^(]*/, ' ');
  const remedy =
    code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? 'Use a name of the certificate in --admin-url.'
      : 'Name a PEM file of trusted certificates with --admin-ca; Kong makes a self-signed certificate for the Admin API unless admin_ssl_cert in kong.conf names another.';
  return new AdminApiError(`${host}: ${words}`, remedy);
}

function isProxy(json: unknown): boolean {
  const { success, data } = z.looseObject({ message: z.string() }).safeParse(json);
  return success && /^no Route matched/i.test(data.message);
}

function codeOf(error: Error): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (first instanceof Error && 'code' in first && typeof first.code === 'string') {
    // Some versions of Node leave OpenSSL's reason to the message.
    const isPlain = first.code === 'EPROTO' && /wrong version number|packet length/.test(first.message);
    return isPlain ? 'ERR_SSL_WRONG_VERSION_NUMBER' : first.code;
  }
  return error.name === 'TimeoutError' ? 'ETIMEDOUT' : error.message;
}
