import { PingAuthError } from '../errors/ping-auth-error.js';
import { isSendableStatus, isSupportedMethod } from '../http/admission.js';
import { encodeLossless, hasControlCharacter, hasLoneSurrogate, isToken, trimBlanks } from '../http/text.js';

/** @returns the name in lower case. @throws PingAuthError `directive_invalid` for a name that is not a token. */
export function checkHeaderName(name: string): string {
  if (!isToken(name)) throw invalid(`header name ${JSON.stringify(name.slice(0, 80))} is not a token`);
  return name.toLowerCase();
}

/**
 * @returns the value without blanks around it, which are no part of it (RFC 9110, section 5.5).
 * @throws PingAuthError `directive_invalid` naming the header, never the value: it may be a credential.
 */
export function checkHeaderValue(name: string, value: string): string {
  if (hasControlCharacter(value)) throw invalid(`header ${name} holds a control character`);
  // Half a surrogate pair is how a raw byte stands in our strings; the policy must not smuggle one in.
  if (hasLoneSurrogate(value)) throw invalid(`header ${name} is not well-formed text`);
  return trimBlanks(value);
}

/**
 * The lines of a header for which nginx has one slot: equal ones are one, and what is a list by its grammar goes into one
 * line (RFC 9110, section 5.3).
 * @throws PingAuthError `directive_invalid` when Kong could carry out only a part of it
 */
export function checkSingleton(name: string, values: readonly string[]): readonly string[] {
  const [first, ...others] = values;
  if (first === undefined || others.every((value) => value === first)) return values.slice(0, 1);
  if (name === 'www-authenticate') return [values.join(', ')];
  throw invalid(`header ${name} has ${values.length} different values, and Kong sends one`);
}

/** @throws PingAuthError `directive_invalid` for a method that would not reach the upstream as it is. */
export function checkNewMethod(method: string, clientMethod: string): string {
  if (!isSupportedMethod(method))
    throw invalid(`method ${JSON.stringify(method.slice(0, 40))} is not supported`);
  // Recorded: a client's GET sent on as HEAD hangs, and after HEAD sent on as GET the client finds the body where it
  // expects the next response.
  if ((method === 'HEAD') !== (clientMethod === 'HEAD')) {
    throw invalid(`method cannot be changed from ${clientMethod} to ${method}`);
  }
  return method;
}

/**
 * A status of the policy, a number or its digits.
 * @throws PingAuthError `directive_invalid` outside 200–599, and for 444 and 499, which nginx answers with silence.
 */
export function checkStatus(code: string | number): number {
  const status = typeof code === 'string' && /^\d{3}$/.test(code) ? Number(code) : code;
  if (typeof status === 'number' && isSendableStatus(status)) return status;
  throw invalid(
    `response_code ${JSON.stringify(String(code).slice(0, 20))} is not a status that can be sent`,
  );
}

/** @returns the body as UTF-8. @throws PingAuthError `directive_invalid` for text that has no encoding. */
export function checkBody(text: string): Uint8Array {
  if (hasLoneSurrogate(text)) throw invalid('body is not well-formed text');
  return encodeLossless(text);
}

export function invalid(detail: string): PingAuthError {
  return new PingAuthError('directive_invalid', { detail });
}
