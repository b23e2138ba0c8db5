import { applyRequestChanges, applyResponseChanges } from '../directives/apply.js';
import { describeChanges, noteInWords } from '../directives/decision.js';
import { decideRequest } from '../directives/request-decision.js';
import { decideResponse } from '../directives/response-decision.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { asPingAuthError } from '../errors/ping-auth-error.js';
import { HeaderList } from '../http/headers.js';
import type { BodyView, HttpRequest, HttpResponse } from '../http/message.js';
import { requestUrlOf } from '../http/request-url.js';
import { readRequestAnswer, readResponseAnswer } from '../sideband/wire-answers.js';
import { messageOf, textOf } from '../telemetry/gap-marks.js';
import { type MessageText, requestText, responseText } from './message-text.js';
import { fieldsOf, type RecordedRequest, type RecordedResponse, type Recording } from './recording.js';

/** What would become of a recorded message. */
export interface Explanation {
  readonly title: string;
  /** False when the plugin would refuse because of the answer. */
  readonly isUsable: boolean;
  /** What becomes of the message: it is forwarded, the policy answers it, or the plugin refuses it. */
  readonly decision: 'forwarded' | 'denied' | { readonly refused: ErrorCode };
  /** Names of what the policy changed, as in the decision line. */
  readonly changed: readonly string[];
  /** The client gets it: of a denial, or of a response. */
  readonly statusAfter?: number;
  /** Made when it is asked for. The message before and after; undefined when nothing is forwarded. */
  readonly diff?: { readonly before: ExplainedMessage; readonly after: ExplainedMessage };
  /** What the policy asked for that is ignored. */
  readonly ignored: readonly string[];
}

export interface ExplainedMessage {
  readonly label: string;
  /** Undefined: there is none. */
  readonly message: MessageText | undefined;
}

/** With the plugin's own rules. Never throws for what is wrong with the answer. */
export function explain(recording: Recording): Explanation {
  const id = recording.requestId === undefined ? '' : ` (request ${recording.requestId})`;
  try {
    return recording.phase === 'access'
      ? explainRequest(recording.shown, recording.answer, id)
      : explainResponse(recording.shown, recording.answer, id);
  } catch (thrown) {
    const error = asPingAuthError(thrown);
    return {
      title: `${recording.phase}: refused with ${error.status}, code ${error.code}: ${error.message}${id}`,
      isUsable: false,
      decision: { refused: error.code },
      changed: [],
      ignored: [],
    };
  }
}

/** What was shown to the policy. @throws PingAuthError when it has no URL */
export function shownText(recording: Recording): MessageText {
  return recording.phase === 'access'
    ? requestText(toRequest(recording.shown))
    : responseText(toResponse(recording.shown));
}

function explainRequest(shown: RecordedRequest, answer: unknown, id: string): Explanation {
  const request = toRequest(shown);
  const decision = decideRequest(readRequestAnswer(bytes(answer)), request, {
    url: textOf(shown.url),
    headers: request.headers,
    body: bodyView(shown.body),
    certificate: undefined,
  });
  const ignored = decision.notes.map(noteInWords);
  if (decision.kind === 'deny') {
    return withDiff(
      {
        title: `access: denied with status ${decision.response.status}; nothing reaches the upstream${id}`,
        isUsable: true,
        decision: 'denied',
        changed: [],
        ignored,
        statusAfter: decision.response.status,
      },
      () => ({
        before: { label: 'nothing', message: undefined },
        after: { label: 'what the client gets', message: responseText(decision.response) },
      }),
    );
  }
  const after = applyRequestChanges(request, decision.changes);
  const changed = describeChanges(decision.changes);
  return withDiff(
    {
      title: `access: permitted, ${changesText(changed)}${id}`,
      isUsable: true,
      decision: 'forwarded',
      changed,
      ignored,
    },
    () => ({
      before: { label: 'what the client sent', message: requestText(request) },
      after: { label: 'what the upstream gets', message: requestText(after) },
    }),
  );
}

function explainResponse(shown: RecordedResponse, answer: unknown, id: string): Explanation {
  const response = toResponse(shown);
  const decision = decideResponse(
    readResponseAnswer(bytes(answer)),
    response,
    bodyView(shown.body),
    shown.method,
  );
  const after = applyResponseChanges(response, decision.changes, shown.method);
  const changed = describeChanges(decision.changes);
  return withDiff(
    {
      title: `response: ${changesText(changed)}${id}`,
      isUsable: true,
      decision: 'forwarded',
      changed,
      statusAfter: after.status,
      ignored: decision.notes.map(noteInWords),
    },
    () => ({
      before: { label: 'what the upstream sent', message: responseText(response) },
      after: { label: 'what the client gets', message: responseText(after) },
    }),
  );
}

/** Laying out two messages takes longer than deciding about them, and a list of decisions shows neither. */
function withDiff(
  explanation: Omit<Explanation, 'diff'>,
  make: () => NonNullable<Explanation['diff']>,
): Explanation {
  let made: Explanation['diff'];
  return {
    ...explanation,
    get diff() {
      made ??= make();
      return made;
    },
  };
}

function changesText(changes: readonly string[]): string {
  if (changes.length === 0) return 'nothing changed';
  return `${changes.length} ${changes.length === 1 ? 'change' : 'changes'}: ${changes.join(', ')}`;
}

function toRequest(shown: RecordedRequest): HttpRequest {
  return {
    method: textOf(shown.method),
    url: requestUrlOf(textOf(shown.url)),
    httpVersion: shown.http_version,
    headers: HeaderList.from(fieldsOf(shown.headers)),
    body: Buffer.from(textOf(shown.body ?? '')),
    sourceIp: shown.source_ip,
    sourcePort: shown.source_port,
    clientCertificatePem: undefined,
  };
}

function toResponse(shown: RecordedResponse): HttpResponse {
  return {
    status: Number(shown.response_code),
    headers: HeaderList.from(fieldsOf(shown.headers)),
    body: Buffer.from(textOf(shown.body ?? '')),
  };
}

function bodyView(body: string | undefined): BodyView {
  if (body === undefined) return { kind: 'omitted', reason: 'disabled' };
  return body === '' ? { kind: 'absent' } : { kind: 'text', text: textOf(body) };
}

function bytes(answer: unknown): Uint8Array {
  return Buffer.from(typeof answer === 'string' ? textOf(answer) : JSON.stringify(messageOf(answer)));
}
