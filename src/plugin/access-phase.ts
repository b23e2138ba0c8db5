import {
  describeChanges,
  NO_REQUEST_CHANGES,
  type RequestChanges,
  type RequestDecision,
  withDecodedBody,
} from '../directives/decision.js';
import { failOpenChanges } from '../directives/header-changes.js';
import { decideRequest } from '../directives/request-decision.js';
import { asPingAuthError, PingAuthError } from '../errors/ping-auth-error.js';
import { admitRequest } from '../http/admission.js';
import { decodeBody, textShown } from '../http/body.js';
import type { MemoryReservation } from '../http/memory-reservation.js';
import type { BodyView, HttpRequest, ResponseToSend } from '../http/message.js';
import { composeUrl } from '../http/request-url.js';
import { bytesOfText } from '../http/text.js';
import type { Gateway, LogValues } from '../kong/gateway.js';
import { type AgentDenial, requestDenialForAgent } from '../mcp/approval.js';
import { type McpRequest, mcpHeaderChanges, readMcpRequest } from '../mcp/request.js';
import { withResourceMetadata } from '../mcp/response-rules.js';
import { traceContextOf } from '../sideband/call-headers.js';
import { certificateToJwk } from '../sideband/client-certificate.js';
import {
  bodyMemberInSteps,
  composeRequestPayload,
  describeTarget,
  type Payload,
  payloadBytes,
  payloadText,
} from '../sideband/payloads.js';
import {
  type AccessOutcome,
  NOT_EVALUATED,
  retainedPayload,
  writeRequestContext,
} from '../sideband/request-context.js';
import type { Instance, McpSetup, Setup } from './instance.js';
import { type Decision, type MessageFacts, type Phase, type PolicyCall, refuse } from './phase-runner.js';
import { ShadowedRequest } from './shadowed-request.js';

/** Smaller ones are no danger. */
const SMALL_CONTEXT = 4096;
/** Of one UTF-16 unit. */
const MAX_UTF8_BYTES = 3;

/** How a request is forwarded to the upstream, and what is kept of it for the response phase. */
interface PermittedRequest {
  readonly request: RequestChanges;
  readonly requestContext: string;
}

const NOT_EVALUATED_REQUEST: PermittedRequest = {
  request: NO_REQUEST_CHANGES,
  requestContext: NOT_EVALUATED,
};

/** The access phase of one request: the request is forwarded to the upstream, or the client gets a response. */
export class AccessPhase implements Phase<PermittedRequest> {
  readonly name = 'access';
  readonly message: MessageFacts = {};
  readonly #instance: Instance;
  readonly #gateway: Gateway;
  #memory: MemoryReservation | undefined;
  /** What the policy is asked; undefined until the request has been read and admitted. */
  #asked:
    | {
        readonly request: HttpRequest;
        readonly body: BodyView;
        readonly target: string;
        readonly payload: Payload;
      }
    | undefined;

  /** undefined: the shadow policy is not asked about this request. */
  #shadow: ShadowedRequest | undefined;

  constructor(instance: Instance, gateway: Gateway) {
    this.#instance = instance;
    this.#gateway = gateway;
  }

  async evaluate(
    setup: Setup,
    memory: MemoryReservation,
    call: PolicyCall,
  ): Promise<Decision<PermittedRequest>> {
    const { config, excluded } = setup;
    const { message } = this;
    this.#memory = memory;

    const { request, unreadBody } = await this.#gateway.readRequest(setup.readLimits, {
      identified: (requestId) => {
        message.requestId = requestId;
      },
      memory,
    });
    const { headers, clientCertificatePem: pem } = request;
    message.method = request.method;
    message.path = request.url.path;
    Object.assign(message, traceContextOf(headers));
    admitRequest(request, config);
    setup.mcp?.checkOrigin(headers);

    let body: BodyView =
      unreadBody === undefined
        ? await decodeBody(request.body, headers, setup.requestBodyRules, memory)
        : { kind: 'omitted', reason: unreadBody };
    if (body.kind === 'omitted') message.bodyNotShown = body.reason;
    const mcp = setup.mcp && this.#readMcpMessage(request, body, setup.mcp);
    if (mcp?.isRewritten === true) {
      // What an agent's client sent for ping-auth stays here: these bytes go on in place of the client's.
      memory.grow(2 * bytesOfText(mcp.text));
      body = { kind: 'text', text: mcp.text, decoded: Buffer.from(mcp.text, 'utf8') };
    }
    const seen = mcp?.headers ?? headers;
    const shown = {
      url: composeUrl(request.url),
      headers: excluded.size === 0 ? seen : seen.filter((name) => !excluded.has(name)),
      body,
      certificate: pem === undefined ? undefined : certificateToJwk(pem),
    };
    const target = describeTarget(request, shown.url);
    const member = await bodyMemberInSteps(body, memory);
    const payload = composeRequestPayload(request, target, shown.headers, member, shown.certificate);
    this.#asked = { request, body, target, payload };

    const answer = await call.ask(setup, payload, setup.client.evaluateRequest);

    const decided = this.#forShadow(setup, payload, () => decideRequest(answer, request, shown));
    const { notes } = decided;
    const isMonitor = config.mode === 'monitor';
    if (decided.kind === 'deny') {
      const { response } = decided;
      const { status } = response;
      if (isMonitor)
        return { kind: 'forward', outcome: 'monitor_deny', changes: NOT_EVALUATED_REQUEST, notes, status };
      const { offer, ignored, ...denial } = agentDenial(response, mcp, setup.mcp);
      return {
        kind: 'respond',
        outcome: 'deny',
        response: denial.response,
        notes: ignored === undefined ? notes : [...notes, { what: 'approval_url', name: ignored }],
        status,
        approval: offer,
      };
    }
    const changes =
      mcp === undefined
        ? decided.changes
        : { ...decided.changes, headers: mcpHeaderChanges(mcp, headers, decided.changes) };
    const changed = describeChanges(changes);
    const outcome = changed.length > 0 ? 'change' : 'permit';
    const requestContext = this.#requestContext(setup, isMonitor ? 'monitor' : 'permit', decided.state);
    return {
      kind: 'forward',
      outcome: isMonitor ? `monitor_${outcome}` : outcome,
      changes: {
        request: isMonitor ? NO_REQUEST_CHANGES : withDecodedBody(changes, request, body),
        requestContext,
      },
      changed,
      notes,
    };
  }

  onError(error: PingAuthError, setup: Setup): Decision<PermittedRequest> {
    const { config } = setup;
    if (config.mode === 'monitor') {
      return { kind: 'forward', outcome: 'monitor_refuse', changes: NOT_EVALUATED_REQUEST };
    }
    if (
      !config.fail_open_request ||
      !error.mayFailOpen(config.fail_open_scope) ||
      this.#asked === undefined
    ) {
      return refuse(error, this.#instance, this.message);
    }
    const { request: asked, body } = this.#asked;
    const request = withDecodedBody(failOpenChanges(asked.headers), asked, body);
    const requestContext = this.#requestContext(setup, 'fail_open', undefined);
    return { kind: 'forward', outcome: 'fail_open', changes: { request, requestContext } };
  }

  apply(decision: Decision<PermittedRequest>, log: LogValues): Promise<void> {
    if (decision.kind === 'respond') return this.#gateway.refuse(decision.response, log);
    return this.#gateway.permit(decision.changes.request, decision.changes.requestContext, log);
  }

  askShadow({ shadow }: Setup): void {
    if (shadow !== undefined) this.#shadow?.askAfterAccess(shadow, this.message);
  }

  /** Makes the decision, and notes it if the shadow policy will be asked about this request. */
  #forShadow(setup: Setup, payload: Payload, decide: () => RequestDecision): RequestDecision {
    if (setup.shadow?.samples() !== true) return decide();
    try {
      const decided = decide();
      this.#shadow = new ShadowedRequest(payloadText(payload), decided);
      return decided;
    } catch (thrown) {
      this.#shadow = new ShadowedRequest(payloadText(payload), asPingAuthError(thrown).code);
      throw thrown;
    }
  }

  /** @throws PingAuthError `request_context_too_large` */
  #requestContext(
    { config, hasResponsePhase }: Setup,
    outcome: AccessOutcome,
    state: string | undefined,
  ): string {
    // Unreachable: a context is written only after the policy was asked.
    if (this.#asked === undefined) throw new Error('the policy was not asked');
    const { request, target, payload } = this.#asked;
    const { requestId, traceparent, tracestate, mcp } = this.message;
    checkContextSize(state ?? payload, config.max_request_context_bytes, state !== undefined);
    const kept = retainedPayload(state === undefined ? payloadText(payload) : '', state);
    // Kong gets it as a text in a frame.
    if (kept.length > SMALL_CONTEXT) this.#memory?.grow(2 * bytesOfText(kept));
    const shadow = hasResponsePhase
      ? this.#shadow?.contextWithin(config.max_request_context_bytes, kept)
      : undefined;
    const { method } = request;
    return writeRequestContext({
      ...{ outcome, method, requestId, traceparent, tracestate, mcp, target, kept, shadow },
    });
  }

  #readMcpMessage(request: HttpRequest, body: BodyView, setup: McpSetup): McpRequest | undefined {
    const read = readMcpRequest(request, textShown(body), setup.buffersResponses);
    if (read !== undefined) {
      const { id, method, name } = read.message;
      this.message.mcp = { id, method, name };
    }
    return read;
  }
}

/**
 * Kong holds what is kept in its own memory for as long as the upstream takes.
 * @throws PingAuthError `request_context_too_large`
 */
function checkContextSize(kept: Payload, maxBytes: number, isState: boolean): void {
  if (typeof kept === 'string' && kept.length * MAX_UTF8_BYTES <= maxBytes) return;
  const bytes = payloadBytes(kept);
  if (bytes <= maxBytes) return;
  const what = isState ? "the policy's state" : 'the policy returned no state, and the request it was shown';
  const detail = `${what} has ${bytes} bytes; max_request_context_bytes is ${maxBytes}`;
  throw new PingAuthError('request_context_too_large', { detail, ...(isState && { status: 502 }) });
}

/** The policy's denial as the client gets it on this route. */
function agentDenial(
  response: ResponseToSend,
  mcp: McpRequest | undefined,
  setup: McpSetup | undefined,
): AgentDenial {
  if (setup === undefined) return { response };
  const isForAgent = mcp !== undefined && setup.denials === 'json_rpc';
  const denial = isForAgent ? requestDenialForAgent(response, mcp) : { response };
  const url = setup.responseRules.resourceMetadataUrl;
  if (url === undefined) return denial;
  const { status, headers, body } = denial.response;
  return { ...denial, response: { status, headers: withResourceMetadata(status, headers, url), body } };
}
