import { randomUUID } from 'node:crypto';
import { type Call, fillText, type Lookup, parseJson } from './message.js';
import type { ApproveRule, DenyRule, JsonValue } from './rules.js';

/** One exact call of one person that waits for its approval, or has it. */
export interface ApprovalRequest {
  readonly id: string;
  readonly person: string;
  readonly digest: string;
  readonly message: string;
  /** What the page shows; from the call itself, never from the URL. */
  readonly method: string;
  readonly name: string;
  readonly arguments: JsonValue;
  readonly rule: ApproveRule;
  /** Milliseconds since 1970; undefined until a person approves. */
  approvedUntil: number | undefined;
}

/** What a rule with `approve:` comes to for one call. */
export type ApprovalOutcome =
  | { readonly deny: DenyRule; readonly approved?: undefined }
  | { readonly approved: ApprovalRequest; readonly deny?: undefined };

/** More than this double ever needs; the oldest go. */
const MAX_REQUESTS = 1000;

/** The approval store of this double: who may make which call, by person and digest. In memory. */
export class Approvals {
  readonly #requests = new Map<string, ApprovalRequest>();
  readonly #url: () => string;

  /** @param url of this server, as browsers reach it */
  constructor(url: () => string) {
    this.#url = url;
  }

  get(id: string): ApprovalRequest | undefined {
    return this.#requests.get(id);
  }

  /** Whether a call is approved, or the denial that names the page for it. Uses nothing up. */
  check(rule: ApproveRule, call: Call, lookup: Lookup): ApprovalOutcome {
    const person = fillText(rule.person, lookup);
    const digest = String(lookup('header.mcp-arguments-digest') ?? '');
    const refusal = lookup('header.mcp-approval-response');
    // Without a digest there is nothing to approve.
    if (digest === '' || refusal !== undefined) {
      const why = refusal === undefined ? 'This call cannot be approved.' : 'The user declined.';
      return { deny: denial(rule.status, { message: why }) };
    }
    const open = this.#find(person, digest) ?? this.#open(rule, call, lookup, person, digest);
    if (open.approvedUntil !== undefined && open.approvedUntil > Date.now()) return { approved: open };
    const page = `${this.#url()}/approvals/${open.id}`;
    return { deny: denial(rule.status, { message: open.message, approval_url: page }) };
  }

  /** Called with the permit. */
  use(request: ApprovalRequest): void {
    if (request.rule.once) this.#requests.delete(request.id);
  }

  approve(request: ApprovalRequest): void {
    request.approvedUntil = Date.now() + request.rule.for_s * 1000;
  }

  decline(request: ApprovalRequest): void {
    this.#requests.delete(request.id);
  }

  #find(person: string, digest: string): ApprovalRequest | undefined {
    return [...this.#requests.values()].find(
      (request) => request.person === person && request.digest === digest,
    );
  }

  #open(
    rule: ApproveRule,
    { payload }: Call,
    lookup: Lookup,
    person: string,
    digest: string,
  ): ApprovalRequest {
    const message = parseJson('body' in payload ? payload.body : undefined);
    const params = memberOf(message, 'params');
    const request: ApprovalRequest = {
      id: randomUUID(),
      person,
      digest,
      message: fillText(rule.message, lookup),
      method: String(memberOf(message, 'method') ?? ''),
      name: String(memberOf(params, 'name') ?? memberOf(params, 'uri') ?? ''),
      arguments: memberOf(params, 'arguments') ?? null,
      rule,
      approvedUntil: undefined,
    };
    this.#requests.set(request.id, request);
    for (const oldest of this.#requests.keys()) {
      if (this.#requests.size <= MAX_REQUESTS) break;
      this.#requests.delete(oldest);
    }
    return request;
  }
}

function denial(status: number, json: { [key: string]: JsonValue }): DenyRule {
  return { status, headers: { 'Content-Type': 'application/json' }, json };
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value[name] : undefined;
}
