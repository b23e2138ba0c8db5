import { expect, it } from 'vitest';
import { ERRORS, type ErrorCode, type ErrorEntry } from '../errors/catalogue.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { errorResponse } from './error-response.js';

const bodyOf = (code: ErrorCode) =>
  JSON.parse(new TextDecoder().decode(errorResponse(new PingAuthError(code), undefined, 'id').body));

it('names the code to a client that caused the error, so that its developer can look it up', () => {
  expect(bodyOf('too_many_request_headers')).toEqual({
    code: 'REQUEST_HEADERS_TOO_LARGE',
    message: ERRORS.too_many_request_headers.message,
    reason: 'too_many_request_headers',
    request_id: 'id',
  });
});

it('tells nothing about the inside: neither the configuration nor the policy provider', () => {
  const entries: [string, ErrorEntry][] = Object.entries(ERRORS);
  const inside = entries.filter(([, { level }]) => level !== 'info').map(([code]) => code as ErrorCode);
  expect(inside).toContain('provider_timeout');
  for (const code of inside) expect(bodyOf(code)).not.toHaveProperty('reason');
});
