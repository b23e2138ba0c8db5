import { describeChanges, NO_REQUEST_CHANGES, type RequestChanges } from '../directives/decision.js';
import { decideRequest } from '../directives/request-decision.js';
import { failOpenChanges } from '../directives/request-headers.js';
import type { PingAuthError } from '../errors/ping-auth-error.js';
import { admitRequest } from '../http/admission.js';
import { showBody } from '../http/body-view.js';
import type { HeaderList } from '../http/header-list.js';
import { type BodyView, type HttpRequest, type ResponseToSend, textShown } from '../http/message.js';
import { composeUrl } from '../http/request-url.js';
import type { LogValues } from '../kong/gateway.js';
import { denialForAgent } from '../mcp/denial.js';
import { type McpRequest, mcpHeaderChanges, readMcpRequest } from '../mcp/request.js';
import { certificateToJwk } from '../sideband/client-certificate.js';
import { composeRequestPayload, describeTarget } from '../sideband/payloads.js';
import {
  type AccessOutcome,
  NOT_EVALUATED,
  retainedPayload,
  writeRequestContext,
} from '../sideband/request-context.js';
import { isTraceparent, isTracestate } from '../sideband/sideband-client.js';
import type { Phase } from '../telemetry/decision-log.js';
import type { McpSetup, Setup } from './instance.js';
import { PhaseRun } from './phase-run.js';

/** The access phase of one request: it ends with a permit for Kong to carry out, or with an answer to the client. */
export class AccessRun extends PhaseRun {
  override readonly phase: Phase = 'access';
  #request: HttpRequest | undefined;
  /** Parts of the memo; known as soon as the policy can be asked. */
  #target = '';
  #payload = '';
  #changes: RequestChanges = NO_REQUEST_CHANGES;
  #requestContext: string = NOT_EVALUATED;

  protected override async evaluate(setup: Setup): Promise<void> {
    const { config } = setup;
    const { request, unreadBody } = await this.gateway.readRequest(setup.readLimits, this);
    const { headers, clientCertificatePem: pem } = request;
    this.#request = request;
    this.method = request.method;
    this.path = request.url.path;
    this.#readTraceContext(headers);
    admitRequest(request, config);

    const { excluded } = setup;
    const bodyView = showBody(request.body, headers, setup.requestBodyRules, unreadBody);
    const body = bodyView instanceof Promise ? await bodyView : bodyView;
    const message = setup.mcp && this.#readMessage(request, body, setup.mcp);
    const seen = message?.headers ?? headers;
    const shown = {
      url: composeUrl(request.url),
      headers: excluded.size === 0 ? seen : seen.filter((name) => !excluded.has(name)),
      body,
      certificate: pem === undefined ? undefined : certificateToJwk(pem),
    };
    if (shown.body.kind === 'omitted') this.bodyNotShown = shown.body.reason;
    this.#target = describeTarget(request, shown.url);
    this.#payload = composeRequestPayload(
      request,
      this.#target,
      shown.headers,
      shown.body,
      shown.certificate,
    );

    const answer = await this.ask(setup, this.#payload, setup.client.evaluateRequest);

    const decision = decideRequest(answer, request, shown);
    this.notes = decision.notes;
    const monitor = config.mode === 'monitor';
    if (decision.kind === 'deny') {
      this.outcome = monitor ? 'monitor_deny' : 'deny';
      const { response } = decision;
      this.status = response.status;
      if (monitor) return;
      const isForAgent = setup.mcp?.denials === 'json_rpc' && message !== undefined;
      this.answer = isForAgent ? denialForAgent(response, message.message.id) : response;
      return;
    }
    const changes =
      message === undefined
        ? decision.changes
        : { ...decision.changes, headers: mcpHeaderChanges(message, headers, decision.changes) };
    this.changed = describeChanges(changes);
    const outcome = this.changed.length > 0 ? 'change' : 'permit';
    this.outcome = monitor ? `monitor_${outcome}` : outcome;
    if (!monitor) this.#changes = changes;
    this.#keep(monitor ? 'monitor' : 'permit', request.method, decision.state);
  }

  protected override shouldFailOpen(error: PingAuthError, { config }: Setup): boolean {
    this.#changes = NO_REQUEST_CHANGES;
    this.#requestContext = NOT_EVALUATED;
    if (config.mode === 'monitor') {
      this.outcome = 'monitor_refuse';
      return true;
    }
    if (!config.fail_open_request || !error.mayFailOpen(config.fail_open_scope)) return false;
    if (this.#request === undefined || this.#payload === '') return false;
    this.outcome = 'fail_open';
    this.#changes = failOpenChanges(this.#request.headers);
    this.#keep('fail_open', this.#request.method, undefined);
    return true;
  }

  protected override forward(log: LogValues): Promise<void> {
    return this.gateway.permit(this.#changes, this.#requestContext, log);
  }

  protected override respond(response: ResponseToSend, log?: LogValues): Promise<void> {
    return this.gateway.refuse(response, log);
  }

  #keep(outcome: AccessOutcome, method: string, state: string | undefined): void {
    const { requestId, traceparent, tracestate, mcp } = this;
    const target = this.#target;
    const kept = retainedPayload(this.#payload, state);
    this.#requestContext = writeRequestContext({
      outcome,
      method,
      requestId,
      traceparent,
      tracestate,
      mcp,
      target,
      kept,
    });
  }

  #readMessage(request: HttpRequest, body: BodyView, setup: McpSetup): McpRequest | undefined {
    const server = request.url.host + request.url.path;
    const paramHeaders = { known: setup.paramHeaders, server };
    const read = readMcpRequest(request, textShown(body), setup.buffersResponses, paramHeaders);
    if (read !== undefined) {
      const { id, method, name } = read.message;
      this.mcp = { id, method, name };
    }
    return read;
  }

  /** The client's W3C trace context. Its header goes into our own call, so it has to be what it claims to be. */
  #readTraceContext(headers: HeaderList): void {
    const traceparent = headers.get('traceparent');
    if (traceparent === undefined || !isTraceparent(traceparent)) return;
    this.traceparent = traceparent;
    const tracestate = headers.getAll('tracestate').join(',');
    // At most 512 characters have to be passed on; what is longer or odd is left out.
    if (isTracestate(tracestate)) this.tracestate = tracestate;
  }
}
