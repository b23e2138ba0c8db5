import { STATUS_CODES } from 'node:http';

/** Statuses whose responses have no body, whatever their headers say. */
const BODYLESS = new Set([204, 304]);

/** nginx closes the connection without an answer for these two. */
const SILENT = new Set([444, 499]);

/** Reason phrase for `response_status`; an unregistered status gets that of its class (RFC 9110, section 15). */
export function reasonPhrase(status: number): string {
  return STATUS_CODES[status] ?? STATUS_CODES[Math.trunc(status / 100) * 100] ?? 'Unknown';
}

/** A status that Kong can send: below 200 the client waits for ever, from 600 on Kong fails with 500. */
export function isSendableStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599 && !SILENT.has(status);
}

/** Whether a response with this status to a request with this method may have a body. */
export function allowsBody(status: number, method: string): boolean {
  return method !== 'HEAD' && !BODYLESS.has(status);
}
