// The one place where `test` and `replay` call the plugin's own modules: a message that was described takes the lifecycle of a real
// one, from the model over the policy provider to what would be forwarded.
import type { PluginConfig } from '../../config/schema.js';
import { applyRequestChanges, applyResponseChanges } from '../../directives/apply.js';
import { describeChanges, noteInWords, withDecodedBody } from '../../directives/decision.js';
import { decideRequest, type ShownRequest } from '../../directives/request-decision.js';
import { decideResponse } from '../../directives/response-decision.js';
import { asPingAuthError } from '../../errors/ping-auth-error.js';
import { admitRequest, admitResponse } from '../../http/admission.js';
import { bodyRules, decodeBody } from '../../http/body.js';
import { type HeaderField, HeaderList } from '../../http/headers.js';
import { UNLIMITED_MEMORY } from '../../http/memory-reservation.js';
import type { BodyView, HttpRequest, HttpResponse } from '../../http/message.js';
import { composeUrl, normalisePath, requestUrlOf } from '../../http/request-url.js';
import { errorResponseStatus } from '../../plugin/error-response.js';
import { asLines, requestText, responseText } from '../../recordings/message-text.js';
import { certificateToJwk } from '../../sideband/client-certificate.js';
import type { Json, RequestAnswer, RequestPayload, ResponseAnswer } from '../../sideband/messages.js';
import {
  bodyMember,
  composeRequestPayload,
  composeResponsePayload,
  describeTarget,
  payloadText,
} from '../../sideband/payloads.js';
import { type RequestContext, retainedPayload } from '../../sideband/request-context.js';
import { createSidebandClient } from '../../sideband/sideband-client.js';
import { SidebandRuntime } from '../../sideband/sideband-runtime.js';

/** A client's request as an author describes it. */
export interface DescribedRequest {
  readonly method: string;
  /** Absolute, http or https. */
  readonly url: string;
  readonly httpVersion: '1.0' | '1.1' | '2';
  readonly headers: readonly HeaderField[];
  readonly body: Uint8Array;
  readonly sourceIp: string;
  readonly sourcePort: number;
  /** PEM, leaf first. */
  readonly clientCertificatePem: string | undefined;
}

/** An upstream's response as an author describes it. */
export interface DescribedResponse {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly body: Uint8Array;
}

/** A request on one side of the policy. */
export interface RequestMessage {
  readonly method: string;
  /** As the policy is shown it, the port always written. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: readonly HeaderField[];
  readonly body: Uint8Array;
  /** All of it as lines for people. */
  readonly lines: string;
}

export interface ResponseMessage {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly body: Uint8Array;
  readonly lines: string;
}

/** What the plugin itself refuses, or why there is no decision. */
export interface ErrorResponse {
  readonly kind: 'refuse';
  /** Of docs/errors.md. */
  readonly code: string;
  /** What the client would get. */
  readonly status: number;
  /** Never a secret. */
  readonly message: string;
}

export type RequestOutcome =
  | {
      readonly kind: 'permit';
      readonly before: RequestMessage;
      readonly after: RequestMessage;
      /** In the words of a decision line: `query`, `header:x-a`, `-header:x-b`, `body`. */
      readonly changed: readonly string[];
      readonly ignored: readonly string[];
      /** undefined when the policy gave none. */
      readonly state: Json | undefined;
      /** What the policy was shown. */
      readonly payload: RequestPayload;
      /** What the response call is made with. */
      readonly requestContext: Pick<RequestContext, 'method' | 'target' | 'kept'>;
    }
  | { readonly kind: 'deny'; readonly response: ResponseMessage; readonly ignored: readonly string[] }
  | ErrorResponse;

export type ResponseOutcome =
  | {
      readonly kind: 'pass';
      readonly before: ResponseMessage;
      readonly after: ResponseMessage;
      readonly changed: readonly string[];
      readonly ignored: readonly string[];
    }
  | ErrorResponse;

type Permitted = Extract<RequestOutcome, { kind: 'permit' }>;

/** What a policy provider said to a recorded question. */
export type AnswerAgain =
  | {
      readonly kind: 'answer';
      /** As it goes over the wire, without `state`. */
      readonly answer: Readonly<Record<string, unknown>>;
      readonly state: Json | undefined;
    }
  | ErrorResponse;

/** A policy provider behind the plugin's own client and rules. No method throws for what is wrong with an answer. */
export interface Policy {
  evaluateRequest(request: DescribedRequest, requestId: string): Promise<RequestOutcome>;
  /** @param permitted what `evaluateRequest` gave for its request */
  evaluateResponse(
    response: DescribedResponse,
    permitted: Permitted,
    requestId: string,
  ): Promise<ResponseOutcome>;
  /** @param payload body of a call to /sideband/request or /sideband/response */
  askAgain(
    phase: 'access' | 'response',
    payload: Readonly<Record<string, unknown>>,
    requestId: string,
  ): Promise<AnswerAgain>;
  close(): Promise<void>;
}

export function createPolicy(config: PluginConfig): Policy {
  const runtime = new SidebandRuntime();
  // A circuit would answer for the provider; here every call has to reach it.
  const client = createSidebandClient({ ...config, circuit_failures: 0 }, {}, runtime);
  const orErrorResponse = async <O>(ask: () => Promise<O>): Promise<O | ErrorResponse> => {
    try {
      return await ask();
    } catch (thrown) {
      const error = asPingAuthError(thrown);
      const status = errorResponseStatus(error, config.error_status);
      return { kind: 'refuse', code: error.code, status, message: error.message };
    }
  };
  return {
    evaluateRequest: (described, requestId) =>
      orErrorResponse(async () => {
        const request = toHttpRequest(described);
        admitRequest(request, config);
        const shown = await showRequest(request, config);
        const target = describeTarget(request, shown.url);
        const payload = composeRequestPayload(
          request,
          target,
          shown.headers,
          bodyMember(shown.body),
          shown.certificate,
        );
        const { answer } = await client.evaluateRequest(payload, { requestId });
        return requestOutcome(answer, request, shown, target, payloadText(payload));
      }),
    evaluateResponse: (described, { requestContext }, requestId) =>
      orErrorResponse(async () => {
        const response = { ...described, headers: HeaderList.from(described.headers) };
        admitResponse(response);
        const body = await decodeBody(
          response.body,
          response.headers,
          bodyRules('response', config),
          UNLIMITED_MEMORY,
        );
        const payload = composeResponsePayload(response, requestContext, bodyMember(body));
        const { answer } = await client.evaluateResponse(payload, { requestId });
        return responseOutcome(answer, response, body, requestContext.method);
      }),
    askAgain: (phase, payload, requestId) =>
      orErrorResponse<AnswerAgain>(async () => {
        if (phase === 'response') {
          // Checked by whoever recorded it; the provider judges the rest.
          const asked = await client.evaluateResponse(JSON.stringify(payload), { requestId });
          return { kind: 'answer', answer: wireResponse(asked.answer), state: undefined };
        }
        const { answer } = await client.evaluateRequest(JSON.stringify(payload), { requestId });
        if (answer.kind === 'deny')
          return { kind: 'answer', answer: { response: wireResponse(answer.response) }, state: undefined };
        const { method, url, headers, body, state } = answer;
        return {
          kind: 'answer',
          answer: { method, url, headers: wireFields(headers), body },
          state: parsedState(state),
        };
      }),
    async close() {
      client.release();
      await runtime.close();
    },
  };
}

/** A URL as the policy is shown it, with its port, or why no request can have it. */
export function shownUrl(text: string): { readonly url: string } | { readonly problem: string } {
  try {
    return { url: composeUrl(toRequestUrl(text)) };
  } catch (thrown) {
    return { problem: asPingAuthError(thrown).detail ?? 'cannot be understood' };
  }
}

async function showRequest(request: HttpRequest, config: PluginConfig): Promise<ShownRequest> {
  const excluded = new Set(config.excluded_request_headers);
  const pem = request.clientCertificatePem;
  return {
    url: composeUrl(request.url),
    headers: request.headers.filter((name) => !excluded.has(name)),
    body: await decodeBody(request.body, request.headers, bodyRules('request', config), UNLIMITED_MEMORY),
    certificate: pem === undefined ? undefined : certificateToJwk(pem),
  };
}

function parsedState(text: string | undefined): Json | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as Json);
}

function requestOutcome(
  answer: RequestAnswer,
  request: HttpRequest,
  shown: ShownRequest,
  target: string,
  payload: string,
): RequestOutcome {
  const decision = decideRequest(answer, request, shown);
  const ignored = decision.notes.map(noteInWords);
  if (decision.kind === 'deny') return { kind: 'deny', response: toMessage(decision.response), ignored };
  return {
    kind: 'permit',
    before: toRequestMessage(request),
    after: toRequestMessage(
      applyRequestChanges(request, withDecodedBody(decision.changes, request, shown.body)),
    ),
    changed: describeChanges(decision.changes),
    ignored,
    state: parsedState(decision.state),
    payload: JSON.parse(payload) as RequestPayload,
    requestContext: { method: request.method, target, kept: retainedPayload(payload, decision.state) },
  };
}

function responseOutcome(
  answer: ResponseAnswer,
  response: HttpResponse,
  body: BodyView,
  method: string,
): ResponseOutcome {
  const { changes, notes } = decideResponse(answer, response, body, method);
  return {
    kind: 'pass',
    before: toMessage(response),
    after: toMessage(applyResponseChanges(response, changes, method)),
    changed: describeChanges(changes),
    ignored: notes.map(noteInWords),
  };
}

function wireResponse({ responseCode, headers, body }: ResponseAnswer): Record<string, unknown> {
  return { response_code: responseCode, headers: wireFields(headers), body };
}

function wireFields(fields: readonly HeaderField[]): Record<string, string>[] {
  return fields.map(([name, value]) => ({ [name]: value }));
}

function toHttpRequest({ url, headers, ...rest }: DescribedRequest): HttpRequest {
  return { ...rest, url: toRequestUrl(url), headers: HeaderList.from(headers) };
}

/** With the path that Kong would make of it. @throws PingAuthError */
function toRequestUrl(text: string): HttpRequest['url'] {
  const url = requestUrlOf(text);
  return { ...url, host: url.host.toLowerCase(), path: normalisePath(url.path) ?? url.path };
}

function toRequestMessage(request: HttpRequest): RequestMessage {
  const { method, url, headers, body } = request;
  return { method, url: composeUrl(url), headers: [...headers], body, lines: asLines(requestText(request)) };
}

function toMessage(response: HttpResponse): ResponseMessage {
  const { status, headers, body } = response;
  return { status, headers: [...headers], body, lines: asLines(responseText(response)) };
}
