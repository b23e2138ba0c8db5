import type { RequestDecision } from '../directives/decision.js';
import { refusedSentOn, requestSentOn, type SentOn } from '../directives/sent-on.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { type ShadowContext, shadowCharacters } from '../sideband/request-context.js';
import type { Shadow, ShadowQuestion } from './shadow.js';

/** Of one UTF-16 unit. */
const MAX_UTF8_BYTES = 3;

/** A request about which the shadow policy is asked: after the access phase if it ends there, otherwise after the response phase. */
export class ShadowedRequest {
  readonly #payload: string;
  readonly #decided: RequestDecision | ErrorCode;
  #live: SentOn | undefined;
  /** Travels with the request to the response phase. */
  #isKept = false;
  #isTooLarge = false;

  /** @param decided the live decision, or the code with which its answer was refused */
  constructor(payload: string, decided: RequestDecision | ErrorCode) {
    this.#payload = payload;
    this.#decided = decided;
  }

  /**
   * What the response phase needs; undefined if it does not fit beside what the live policy keeps. Then the shadow policy is not
   * asked.
   */
  contextWithin(maxBytes: number, kept: string): ShadowContext | undefined {
    this.#isTooLarge = true;
    const decided = this.#decided;
    // A body that alone is too large is not worth a digest.
    const body = typeof decided === 'string' || decided.kind === 'deny' ? undefined : decided.changes.body;
    if (kept.length + this.#payload.length > 2 * maxBytes || (body?.length ?? 0) > maxBytes) return undefined;
    const context = { live: JSON.stringify(this.#sentOn), payload: this.#payload };
    const characters = kept.length + shadowCharacters(kept, context);
    if (characters * MAX_UTF8_BYTES > maxBytes && !isWithin(kept, context, maxBytes)) return undefined;
    this.#isTooLarge = false;
    this.#isKept = true;
    return context;
  }

  /** For a request that ends in the access phase. */
  askAfterAccess(shadow: Shadow, message: ShadowQuestion['message']): void {
    if (this.#isTooLarge) shadow.drop('access', message, 'the request context has no room for it');
    else if (!this.#isKept) shadow.ask({ message, payload: this.#payload, live: this.#sentOn });
  }

  get #sentOn(): SentOn {
    const decided = this.#decided;
    this.#live ??= typeof decided === 'string' ? refusedSentOn(decided) : requestSentOn(decided);
    return this.#live;
  }
}

function isWithin(kept: string, context: ShadowContext, maxBytes: number): boolean {
  const added = shadowCharacters(kept, context) > context.live.length ? context.payload : '';
  return Buffer.byteLength(kept) + Buffer.byteLength(added) + Buffer.byteLength(context.live) <= maxBytes;
}
