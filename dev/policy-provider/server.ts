import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { listen } from '../listen.js';
import { type Answer, deliver, errorAnswer } from './answer.js';
import { serveApprovalPage } from './approval-page.js';
import { Approvals } from './approvals.js';
import { type SidebandCall, slim, summarize } from './call-log.js';
import { type Outcome, Policy } from './decide.js';
import { MalformedPayload, parseRequestPayload, parseResponsePayload } from './payload.js';
import { loadRules, parseRules, type RuleInput } from './rules.js';

export interface PolicyProviderOptions {
  readonly rules?: readonly RuleInput[];
  /** YAML; `rules` come first when both are given. */
  readonly rulesFile?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  readonly host?: string;
  /** Default: a certificate for localhost and 127.0.0.1 of a CA made on the spot. `clientCa` demands a client certificate. */
  readonly tls?: {
    readonly cert: string;
    readonly key: string;
    readonly ca?: string;
    readonly clientCa?: string;
  };
  readonly secret?: string;
  /** Default CLIENT-TOKEN. */
  readonly secretHeader?: string;
  /** Payloads over it get 413. Default 64 MiB. */
  readonly maxPayloadBytes?: number;
  /** How long an idle connection is kept. Default 60 s. */
  readonly keepAliveMs?: number;
}

/** A running policy provider. It is a development double: it enforces nothing but its rules. */
export interface PolicyProvider {
  /** `https://127.0.0.1:PORT`, to be used as `service_url`. */
  readonly url: string;
  /** PEM of the CA that vouches for it. */
  readonly ca: string;
  /** Every call so far, in order of arrival of its payload. */
  readonly requests: readonly SidebandCall[];
  clear(): void;
  setRules(rules: readonly RuleInput[]): void;
  /** Connections accepted so far. */
  connections(): number;
  close(): Promise<void>;
}

/** @throws Error for rules that cannot be read, and for a port that is taken (`code` EADDRINUSE). */
export async function startPolicyProvider(options: PolicyProviderOptions = {}): Promise<PolicyProvider> {
  const fromFile = options.rulesFile === undefined ? [] : loadRules(options.rulesFile);
  let url = '';
  const approvals = new Approvals(() => url);
  let policy = new Policy([...parseRules({ rules: options.rules ?? [] }), ...fromFile], approvals);
  const tls = options.tls ?? (await ownCertificate());
  const requests: SidebandCall[] = [];
  const tcpSockets = new Map<number | undefined, Socket>();
  let connections = 0;

  const server = createServer({
    cert: tls.cert,
    key: tls.key,
    maxHeaderSize: 64 * 1024,
    keepAliveTimeout: options.keepAliveMs ?? 60_000,
    ...('clientCa' in tls ? { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true } : {}),
  });
  server.on('connection', (socket: Socket) => {
    connections += 1;
    const { remotePort } = socket;
    tcpSockets.set(remotePort, socket);
    socket.once('close', () => tcpSockets.delete(remotePort));
  });
  server.on('request', (request, response) => {
    const tcp = tcpSockets.get(request.socket.remotePort);
    handle(request, response, tcp).catch((error: unknown) => {
      console.error('policy provider: a fault of its own:', error);
      response.destroy();
    });
  });

  async function handle(
    request: IncomingMessage,
    response: ServerResponse,
    tcp: Socket | undefined,
  ): Promise<void> {
    if (await serveApprovalPage(approvals, request, response)) return;
    const bytes = await readAll(request, options.maxPayloadBytes ?? 64 * 1024 * 1024);
    const phase = phaseOf(request);
    const outcome = judge(request, phase, bytes);
    const { answer } = outcome;
    requests.push({
      seq: requests.length + 1,
      at: Date.now(),
      phase,
      target: request.url ?? '',
      headers: pairs(request.rawHeaders),
      ...summarize(bytes ?? new Uint8Array()),
      decision: outcome.decision,
      rules: outcome.rules,
      status: answer.status,
      answer: slim(outcome.json, answer.body.length),
    });
    if (outcome.delayMs > 0) await pause(outcome.delayMs);
    await deliver(answer, response, tcp);
  }

  function judge(
    request: IncomingMessage,
    phase: 'request' | 'response' | undefined,
    bytes: Buffer | undefined,
  ) {
    const errorResponse = refuse(request, phase, bytes, options);
    if (errorResponse !== undefined || phase === undefined || bytes === undefined)
      return rejected(errorResponse);
    try {
      return policy.decide(
        phase === 'request'
          ? { phase, payload: parseRequestPayload(bytes) }
          : { phase, payload: parseResponsePayload(bytes) },
      );
    } catch (error) {
      if (!(error instanceof MalformedPayload)) throw error;
      return rejected(errorAnswer(400, 'MALFORMED_PAYLOAD', error.message));
    }
  }

  const { host = '127.0.0.1' } = options;
  url = `https://${host}:${await listen(server, options.port, host)}`;
  return {
    url,
    ca: tls.ca ?? tls.cert,
    requests,
    clear: () => requests.splice(0),
    setRules: (rules) => {
      policy = new Policy(parseRules({ rules }), approvals);
    },
    connections: () => connections,
    close: async () => {
      server.closeAllConnections();
      for (const socket of tcpSockets.values()) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

type Judgement = Omit<Outcome, 'decision'> & { readonly decision: SidebandCall['decision'] };

function rejected(answer: Answer | undefined): Judgement {
  const given = answer ?? errorAnswer(404, 'NOT_FOUND', 'No such endpoint');
  return { decision: 'rejected', answer: given, json: undefined, rules: [], delayMs: 0 };
}

async function ownCertificate(): Promise<{ cert: string; key: string; ca: string }> {
  // Only when it is needed: loading it takes longer than all the rest.
  const { createAuthority } = await import('../certificates.js');
  const authority = await createAuthority();
  return { ...(await authority.issue()), ca: authority.cert };
}

/** What is wrong with the call itself, before its payload is looked at; undefined when nothing is. */
export function refuse(
  request: IncomingMessage,
  phase: 'request' | 'response' | undefined,
  bytes: Buffer | undefined,
  options: { readonly secret?: string; readonly secretHeader?: string },
): Answer | undefined {
  if (phase === undefined) return errorAnswer(404, 'NOT_FOUND', `There is nothing at ${request.url ?? ''}`);
  if (request.method !== 'POST')
    return errorAnswer(405, 'METHOD_NOT_ALLOWED', 'Only POST', [['Allow', 'POST']]);
  const given = request.headers[(options.secretHeader ?? 'CLIENT-TOKEN').toLowerCase()];
  if (options.secret !== undefined && given !== options.secret) {
    return errorAnswer(401, 'UNAUTHORIZED', 'The Gateway Token is invalid');
  }
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    return errorAnswer(415, 'UNSUPPORTED_MEDIA_TYPE', 'Content-Type is not application/json');
  }
  if (bytes === undefined) return errorAnswer(413, 'PAYLOAD_TOO_LARGE', 'The payload is over the limit');
  return undefined;
}

/** Whatever stands before it: a `service_url` may have a path of its own. */
export function phaseOf(request: IncomingMessage): 'request' | 'response' | undefined {
  const [path = ''] = (request.url ?? '').split('?', 1);
  if (path.endsWith('/sideband/request') && !path.includes('//')) return 'request';
  return path.endsWith('/sideband/response') && !path.includes('//') ? 'response' : undefined;
}

/** undefined when there is more than the limit; the rest is read and thrown away so that the answer gets through. */
export async function readAll(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= limit) chunks.push(chunk);
  }
  return length > limit ? undefined : Buffer.concat(chunks);
}

/** Node's flat list of names and values as pairs. */
export function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, index) =>
    index % 2 === 0 ? [[name, raw[index + 1] ?? ''] as [string, string]] : [],
  );
}
