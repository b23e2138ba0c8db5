import { applyResponseChanges } from '../directives/apply.js';
import { describeChanges, NO_RESPONSE_CHANGES, type ResponseChanges } from '../directives/decision.js';
import { rebaseChanges } from '../directives/representation.js';
import { decideResponse } from '../directives/response-decision.js';
import type { PingAuthError } from '../errors/ping-auth-error.js';
import { admitResponse } from '../http/admission.js';
import { showBody } from '../http/body-view.js';
import { type HttpResponse, type ResponseToSend, textShown } from '../http/message.js';
import { parseAnsweredUrl } from '../http/request-url.js';
import { decodeUtf8 } from '../http/text.js';
import type { LogValues } from '../kong/gateway.js';
import { denialForAgent } from '../mcp/denial.js';
import { readMcpResponse } from '../mcp/response.js';
import { composeResponsePayload } from '../sideband/payloads.js';
import { NOT_EVALUATED, type RequestContext, readRequestContext } from '../sideband/request-context.js';
import type { Phase } from '../telemetry/decision-log.js';
import type { McpSetup, Setup } from './instance.js';
import { PhaseRun } from './phase-run.js';

/** Of those without a body of the request in them there are thousands, and they are no danger. */
const SMALL_MEMO = 16_384;

/** The response phase of one request: the upstream's response goes out filtered, or an answer of ours in its place. */
export class ResponseRun extends PhaseRun {
  override readonly phase: Phase = 'response';
  #response: HttpResponse | undefined;
  #changes: ResponseChanges = NO_RESPONSE_CHANGES;

  protected override async evaluate(setup: Setup): Promise<void> {
    const { config } = setup;
    const { response, requestContext: text } = await this.gateway.readResponse();
    this.#response = response;
    // Without a state of the policy's the memo has the whole request in it, and goes into the payload.
    const kept = text !== undefined && text.length > SMALL_MEMO ? text.length : 0;
    if (response.body.length + kept > 0) this.hold(response.body.length + kept);
    const monitor = config.mode === 'monitor';
    if (monitor && text === NOT_EVALUATED) {
      this.outcome = 'monitor_pass';
      return;
    }
    const requestContext = readRequestContext(text);
    this.requestId = requestContext.requestId;
    this.traceparent = requestContext.traceparent;
    this.tracestate = requestContext.tracestate;
    this.method = requestContext.method;
    this.status = response.status;
    // Before anything can be wrong: a refusal carries the message's id.
    if (setup.mcp !== undefined) this.mcp = requestContext.mcp;
    admitResponse(response);

    const shown = showBody(response.body, response.headers, setup.responseBodyRules);
    let body = shown instanceof Promise ? await shown : shown;
    if (body.kind === 'omitted') this.bodyNotShown = body.reason;
    let form = response;
    if (setup.mcp !== undefined && requestContext.mcp !== undefined) {
      form = readMcpResponse(response, textShown(body), requestContext.mcp.id);
      if (form !== response) body = { kind: 'text', text: decodeUtf8(form.body) ?? '' };
      if (requestContext.mcp.method === 'tools/list') learnTools(setup.mcp, requestContext, textShown(body));
    }
    const payload = composeResponsePayload(form, requestContext, body);

    const answer = await this.ask(setup, payload, setup.client.evaluateResponse);

    const { changes, notes } = decideResponse(answer, form, body, requestContext.method);
    this.notes = notes;
    this.changed = describeChanges(changes);
    this.status = changes.status ?? response.status;
    const outcome = this.changed.length > 0 ? 'change' : 'pass';
    this.outcome = monitor ? `monitor_${outcome}` : outcome;
    if (monitor) return;
    this.#changes = form === response ? changes : rebaseChanges(response, form, changes);
    if (setup.mcp?.denials !== 'json_rpc' || changes.status === undefined) return;
    const denied = applyResponseChanges(form, changes, requestContext.method);
    const forAgent = denialForAgent(denied, requestContext.mcp?.id);
    if (forAgent === denied) return;
    this.#changes = rebaseChanges(response, forAgent, { ...NO_RESPONSE_CHANGES, status: forAgent.status });
  }

  protected override shouldFailOpen(error: PingAuthError, { config }: Setup): boolean {
    this.#changes = NO_RESPONSE_CHANGES;
    if (this.#response === undefined) return false;
    if (config.mode === 'monitor') {
      this.outcome = 'monitor_refuse';
      return true;
    }
    if (!config.fail_open_response || !error.mayFailOpen(config.fail_open_scope)) return false;
    this.outcome = 'fail_open';
    return true;
  }

  protected override forward(log: LogValues): Promise<void> {
    // Whoever gets here has read it.
    if (this.#response === undefined) throw new Error('there is no response to pass on');
    return this.gateway.filter(this.#response, this.#changes, log);
  }

  protected override respond(response: ResponseToSend, log?: LogValues): Promise<void> {
    return this.gateway.withhold(response, log);
  }
}

/** The list is that of the server at the request's own URL, which stands in the memo. */
function learnTools({ paramHeaders }: McpSetup, { target }: RequestContext, text: string | undefined): void {
  const { url } = JSON.parse(`{${target}}`) as { readonly url: string };
  const { host, path } = parseAnsweredUrl(url);
  if (text !== undefined) paramHeaders.learn(host + path, text);
}
