import { STATUS_CODES } from 'node:http';
import { type Answer, errorAnswer, jsonAnswer } from './answer.js';
import type { ApprovalRequest, Approvals } from './approvals.js';
import { changeContent, changeRequest, wireHeaders } from './changes.js';
import { type Call, fillJson, fillText, type Lookup, lookupIn, matches } from './message.js';
import type { RequestPayload, ResponsePayload } from './payload.js';
import type { Delivery, ErrorRule, JsonValue, RawRule, Rule } from './rules.js';

/** What the rules made of one call. */
export interface Outcome {
  readonly decision: 'permit' | 'deny' | 'answer' | 'error' | 'raw';
  readonly answer: Answer;
  /** The answer as JSON, when it is a decision. */
  readonly json: JsonValue | undefined;
  readonly rules: readonly string[];
  readonly delayMs: number;
}

/**
 * Runs every rule that matches, in order, each on what the ones before it made; a deny, an error or a raw answer ends it.
 * A rule's conditions always look at the call as received. Without a rule: permitted, everything echoed.
 */
export class Policy {
  readonly #rules: readonly Rule[];
  readonly #matchCounts = new Map<Rule, number>();

  readonly #approvals: Approvals;

  constructor(rules: readonly Rule[], approvals: Approvals) {
    this.#rules = rules;
    this.#approvals = approvals;
  }

  decide(call: Call): Outcome {
    const lookup = lookupIn(call);
    const used: ApprovalRequest[] = [];
    const rules = this.#apply(call, lookup, used);
    const last = rules.at(-1);
    const outcome = {
      rules: rules.map((rule) => rule.name),
      delayMs: rules.reduce((sum, rule) => sum + (rule.delay_ms ?? 0), 0),
    };
    const deliver = rules.findLast((rule) => rule.deliver)?.deliver;
    if (last?.error)
      return { ...outcome, decision: 'error', json: undefined, answer: failed(last.error, lookup, deliver) };
    if (last?.raw)
      return { ...outcome, decision: 'raw', json: undefined, answer: verbatim(last.raw, lookup, deliver) };
    const decided =
      call.phase === 'request'
        ? requestAnswer(call.payload, rules, lookup)
        : responseAnswer(call.payload, rules, lookup);
    if (decided.decision === 'permit') for (const approval of used) this.#approvals.use(approval);
    const json = twist(decided.json, rules);
    return { ...outcome, decision: decided.decision, json, answer: { ...jsonAnswer(json), deliver } };
  }

  /** @param used gets the approvals by which the call goes through, if it does */
  #apply(call: Call, lookup: Lookup, used: ApprovalRequest[]): Rule[] {
    const applied: Rule[] = [];
    for (const matching of this.#rules) {
      if (!matches(matching.match, call) || !this.#isDue(matching)) continue;
      const approval =
        matching.approve && call.phase === 'request'
          ? this.#approvals.check(matching.approve, call, lookup)
          : undefined;
      if (approval?.approved !== undefined) used.push(approval.approved);
      const rule = approval?.deny === undefined ? matching : { ...matching, deny: approval.deny };
      applied.push(rule);
      if (rule.deny ?? rule.error ?? rule.raw) break;
    }
    return applied;
  }

  #isDue(rule: Rule): boolean {
    const seen = this.#matchCounts.get(rule) ?? 0;
    this.#matchCounts.set(rule, seen + 1);
    const skip = rule.skip ?? 0;
    return seen >= skip && seen < skip + (rule.times ?? Number.POSITIVE_INFINITY);
  }
}

interface Decided {
  readonly decision: 'permit' | 'deny' | 'answer';
  readonly json: { [key: string]: JsonValue };
}

function requestAnswer(payload: RequestPayload, rules: readonly Rule[], lookup: Lookup): Decided {
  const deny = rules.at(-1)?.deny;
  if (deny) {
    const body = deny.json === undefined ? deny.body : JSON.stringify(deny.json);
    const response = defined({
      http_version: '1.1',
      response_code: deny.status,
      response_status: deny.reason ?? STATUS_CODES[Number(deny.status)] ?? '',
      headers: wireHeaders(deny.headers, lookup),
      body: body === undefined ? undefined : fillText(body, lookup),
    });
    return { decision: 'deny', json: { ...echo(payload), response } };
  }
  const wanted = rules.reduce(
    (draft, rule) => (rule.change ? changeRequest(draft, rule.change, lookup) : draft),
    { ...payload, body: payload.body },
  );
  const state = rules.findLast((rule) => rule.state !== undefined)?.state;
  return {
    decision: 'permit',
    json: { ...echo(wanted), ...(state === undefined ? {} : { state: fillJson(state, lookup) }) },
  };
}

function responseAnswer(payload: ResponsePayload, rules: readonly Rule[], lookup: Lookup): Decided {
  const start = {
    response_code: payload.response_code,
    response_status: payload.response_status,
    headers: payload.headers,
    body: payload.body,
  };
  const wanted = rules.reduce((draft, { rewrite }) => {
    if (!rewrite) return draft;
    const code = rewrite.status === undefined ? draft.response_code : fillText(rewrite.status, lookup);
    const reason =
      rewrite.reason ?? (rewrite.status === undefined ? draft.response_status : STATUS_CODES[Number(code)]);
    return { ...changeContent(draft, rewrite, lookup), response_code: code, response_status: reason ?? '' };
  }, start);
  return { decision: 'answer', json: defined({ http_version: payload.http_version, ...wanted }) };
}

/** A permit gives the whole request back, changed or not. */
function echo(payload: RequestPayload | (Omit<RequestPayload, 'body'> & { body: string | undefined })) {
  const { access_token: _, ...rest } = payload;
  return defined(rest as Record<string, JsonValue | undefined>);
}

function twist(json: { [key: string]: JsonValue }, rules: readonly Rule[]): JsonValue {
  const twisted = { ...json };
  for (const { lie } of rules) {
    for (const name of lie?.remove ?? []) delete twisted[name];
    Object.assign(twisted, lie?.set);
  }
  return twisted;
}

function failed(rule: ErrorRule, lookup: Lookup, deliver: Delivery | undefined): Answer {
  const headers: [string, string][] = wireHeaders(rule.headers, lookup).flatMap((pair) =>
    Object.entries(pair),
  );
  if (rule.retry_after !== undefined) headers.push(['Retry-After', rule.retry_after]);
  if (rule.retry_after_date_in_s !== undefined) {
    headers.push(['Retry-After', new Date(Date.now() + rule.retry_after_date_in_s * 1000).toUTCString()]);
  }
  const code = rule.code ?? (STATUS_CODES[rule.status] ?? 'ERROR').toUpperCase().replace(/\W+/g, '_');
  const message = rule.message ?? `${STATUS_CODES[rule.status] ?? 'Error'} (told to by a rule)`;
  return { ...errorAnswer(rule.status, code, message, headers), deliver };
}

function verbatim(rule: RawRule, lookup: Lookup, deliver: Delivery | undefined): Answer {
  const json = rule.json === undefined ? undefined : JSON.stringify(fillJson(rule.json, lookup));
  const text = json ?? (rule.body === undefined ? '' : fillText(rule.body, lookup));
  const bytes = rule.base64 === undefined ? Buffer.from(text) : Buffer.from(rule.base64, 'base64');
  const body = rule.fill_bytes === undefined ? bytes : Buffer.alloc(rule.fill_bytes, 'x');
  const { status, reason, headers, interim, endless } = rule;
  return { status, reason, headers, body, interim, endless, deliver };
}

function defined(value: Record<string, JsonValue | undefined>): { [key: string]: JsonValue } {
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined),
  );
}
