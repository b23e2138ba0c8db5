import { applyResponseChanges, rebaseChanges } from '../directives/apply.js';
import {
  changedBody,
  describeChanges,
  NO_RESPONSE_CHANGES,
  type ResponseChanges,
  type ResponseDecision,
} from '../directives/decision.js';
import { decideResponse } from '../directives/response-decision.js';
import { parseSentOn, refusedSentOn, responseSentOn } from '../directives/sent-on.js';
import { asPingAuthError, type PingAuthError } from '../errors/ping-auth-error.js';
import { admitResponse } from '../http/admission.js';
import { decodeBody, textShown } from '../http/body.js';
import { headerChanges, isEmpty } from '../http/headers.js';
import type { MemoryReservation } from '../http/memory-reservation.js';
import type { BodyView, HttpResponse } from '../http/message.js';
import { bytesOfText, decodeUtf8 } from '../http/text.js';
import type { Gateway, LogValues } from '../kong/gateway.js';
import { approvalPage } from '../mcp/approval.js';
import { denialForAgent } from '../mcp/denial.js';
import { readMcpResponse } from '../mcp/response.js';
import { ruledResponse } from '../mcp/response-rules.js';
import { bodyMemberInSteps, composeResponsePayload } from '../sideband/payloads.js';
import {
  NOT_EVALUATED,
  type RequestContext,
  readRequestContext,
  type ShadowContext,
} from '../sideband/request-context.js';
import type { Instance, McpSetup, Setup } from './instance.js';
import { type Decision, type MessageFacts, type Phase, type PolicyCall, refuse } from './phase-runner.js';
import type { ShadowResponse } from './shadow.js';

/** The upstream's response and what is to change of it. */
interface FilteredResponse {
  readonly original: HttpResponse;
  readonly response: ResponseChanges;
}

/** The response phase of one request: the upstream's response goes out filtered, or an answer of ours in its place. */
export class ResponsePhase implements Phase<FilteredResponse> {
  readonly name = 'response';
  readonly message: MessageFacts = {};
  readonly #instance: Instance;
  readonly #gateway: Gateway;
  #original: HttpResponse | undefined;
  /** What changes of a response that goes out without a decision. */
  #failOpenChanges: () => ResponseChanges = () => NO_RESPONSE_CHANGES;
  /** undefined: the shadow policy is not asked about this request. */
  #shadow: ShadowContext | undefined;
  #shadowResponse: (() => ShadowResponse) | undefined;

  constructor(instance: Instance, gateway: Gateway) {
    this.#instance = instance;
    this.#gateway = gateway;
  }

  async evaluate(
    setup: Setup,
    memory: MemoryReservation,
    call: PolicyCall,
  ): Promise<Decision<FilteredResponse>> {
    const { config } = setup;
    const { message } = this;
    const isMonitor = config.mode === 'monitor';

    const { response: original, requestContext: text } = await this.#gateway.readResponse();
    this.#original = original;
    memory.grow(original.body.length);
    const unchanged = { original, response: NO_RESPONSE_CHANGES };
    if (isMonitor && text === NOT_EVALUATED) {
      return { kind: 'forward', outcome: 'monitor_pass', changes: unchanged };
    }
    const requestContext = readRequestContext(text);
    // Without a state of the policy's it has the whole request in it. What is kept for the shadow policy is counted there.
    memory.grow(bytesOfText(requestContext.target) + bytesOfText(requestContext.kept));
    this.#shadow = setup.shadow === undefined ? undefined : requestContext.shadow;
    message.requestId = requestContext.requestId;
    message.traceparent = requestContext.traceparent;
    message.tracestate = requestContext.tracestate;
    message.method = requestContext.method;
    message.status = original.status;
    // Before anything can be wrong: an error response carries the message's id.
    if (setup.mcp !== undefined) message.mcp = requestContext.mcp;
    admitResponse(original);

    let body = await decodeBody(original.body, original.headers, setup.responseBodyRules, memory);
    if (body.kind === 'omitted') message.bodyNotShown = body.reason;
    let shown = original;
    if (setup.mcp !== undefined && requestContext.mcp !== undefined) {
      shown = readMcpResponse(original, textShown(body), requestContext.mcp.id);
      if (shown !== original) body = { kind: 'text', text: decodeUtf8(shown.body) ?? '' };
    }
    const member = await bodyMemberInSteps(body, memory);
    const payload = composeResponsePayload(shown, requestContext, member, memory);
    const ruled = (changes: ResponseChanges) =>
      setup.mcp === undefined
        ? changes
        : withMcpRules(changes, shown, body, requestContext, setup.mcp, memory);
    this.#failOpenChanges = () => {
      const changes = ruled(NO_RESPONSE_CHANGES);
      return shown === original || changes.body === undefined
        ? changes
        : rebaseChanges(original, shown, changes);
    };

    const answer = await call.ask(setup, payload, setup.client.evaluateResponse);

    const { method, target } = requestContext;
    const decided = this.#forShadow({ shown, body, method, target }, () =>
      decideResponse(answer, shown, body, method),
    );
    const { changes } = decided;
    let { notes } = decided;
    const changed = describeChanges(changes);
    const outcome = changed.length > 0 ? 'change' : 'pass';
    const details = { changed, status: changes.status };
    if (isMonitor) {
      return { kind: 'forward', outcome: `monitor_${outcome}`, changes: unchanged, notes, ...details };
    }
    const wanted = ruled(changes);
    let response = shown === original ? wanted : rebaseChanges(original, shown, wanted);
    if (setup.mcp?.denials === 'json_rpc' && changes.status !== undefined) {
      const denied = applyResponseChanges(shown, changes, requestContext.method);
      const forAgent = denialForAgent(denied, requestContext.mcp?.id);
      if (forAgent !== denied) {
        response = rebaseChanges(original, forAgent, { ...NO_RESPONSE_CHANGES, status: forAgent.status });
        // The call has run by now, and would run again.
        if (approvalPage(denied) !== undefined)
          notes = [...notes, { what: 'approval_url', name: 'in the response phase' }];
      }
    }
    return { kind: 'forward', outcome, changes: { original, response }, notes, ...details };
  }

  onError(error: PingAuthError, { config }: Setup): Decision<FilteredResponse> {
    const original = this.#original;
    const mayFailOpen = config.fail_open_response && error.mayFailOpen(config.fail_open_scope);
    const isMonitor = config.mode === 'monitor';
    if (original === undefined || !(isMonitor || mayFailOpen)) {
      return refuse(error, this.#instance, this.message);
    }
    const outcome = isMonitor ? 'monitor_refuse' : 'fail_open';
    const response = isMonitor ? NO_RESPONSE_CHANGES : this.#failOpenChanges();
    return { kind: 'forward', outcome, changes: { original, response } };
  }

  askShadow({ shadow }: Setup): void {
    const kept = this.#shadow;
    const live = kept && parseSentOn(kept.live);
    if (kept === undefined || live === undefined) return;
    shadow?.ask({ message: this.message, payload: kept.payload, live, response: this.#shadowResponse?.() });
  }

  /** Makes the decision, and notes it if the shadow policy will be asked about this response. */
  #forShadow(asked: Omit<ShadowResponse, 'live'>, decide: () => ResponseDecision): ResponseDecision {
    if (this.#shadow === undefined) return decide();
    try {
      const decided = decide();
      this.#shadowResponse = () => ({ ...asked, live: responseSentOn(decided) });
      return decided;
    } catch (thrown) {
      this.#shadowResponse = () => ({ ...asked, live: refusedSentOn(asPingAuthError(thrown).code) });
      throw thrown;
    }
  }

  apply(decision: Decision<FilteredResponse>, log: LogValues): Promise<void> {
    if (decision.kind === 'respond') return this.#gateway.withhold(decision.response, log);
    return this.#gateway.filter(decision.changes.original, decision.changes.response, log);
  }
}

/** The changes with those that every response on a route to an MCP server gets. */
function withMcpRules(
  changes: ResponseChanges,
  shown: HttpResponse,
  body: BodyView,
  { mcp }: RequestContext,
  { responseRules }: McpSetup,
  memory: MemoryReservation,
): ResponseChanges {
  const left = {
    status: changes.status ?? shown.status,
    headers: shown.headers.with(changes.headers),
    text: changes.body === undefined ? textShown(body) : decodeUtf8(changes.body),
  };
  const { headers: ruled, text } = ruledResponse(left, mcp?.method, responseRules);
  if (isEmpty(ruled) && text === undefined) return changes;
  const headers = Object.assign(headerChanges(changes.headers), ruled);
  if (text === undefined) return { ...changes, headers };
  memory.grow(bytesOfText(text) + text.length);
  return { ...changes, ...changedBody(text, headers, shown.headers) };
}
