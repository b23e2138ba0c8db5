import { expect, test } from 'vitest';
import { ERRORS } from '../errors/catalogue.js';
import { networkProblem } from './network-error.js';

const NOTHING = { sent: false, bytesArrived: false, headArrived: false };
const withCode = (code: string, message = '') => Object.assign(new Error(message), { code });

test.each([
  ['ENOTFOUND', 'provider_unreachable'],
  ['EAI_AGAIN', 'provider_unreachable'],
  ['ECONNREFUSED', 'provider_unreachable'],
  ['EHOSTUNREACH', 'provider_unreachable'],
  ['ECONNRESET', 'provider_unreachable'],
  ['EPIPE', 'provider_unreachable'],
  ['ETIMEDOUT', 'provider_timeout'],
  ['UND_ERR_CONNECT_TIMEOUT', 'provider_timeout'],
  ['UND_ERR_HEADERS_OVERFLOW', 'provider_answer_too_large'],
  ['CERT_HAS_EXPIRED', 'provider_tls_failed'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'provider_tls_failed'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'provider_tls_failed'],
  ['EPROTO', 'provider_tls_failed'],
  ['HPE_INVALID_CONSTANT', 'provider_not_json'],
])('%s means %s', (code, meaning) => {
  expect(networkProblem(withCode(code), NOTHING).code).toBe(meaning);
});

test.each(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])(
  '%s after the call was written is a lost connection',
  (code) => {
    expect(networkProblem(withCode(code), { ...NOTHING, sent: true }).code).toBe('provider_connection_lost');
  },
);

test('a host with several addresses: the first failure counts', () => {
  const error = new AggregateError([withCode('ECONNREFUSED'), withCode('EHOSTUNREACH')]);
  expect(networkProblem(error, NOTHING)).toMatchObject({
    code: 'provider_unreachable',
    detail: expect.stringContaining('refused'),
  });
});

test.each([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_DESTROYED',
  'SOMETHING_NEW',
])('%s is our own trouble, or unknown, and can never fail open', (code) => {
  expect(ERRORS[networkProblem(withCode(code), NOTHING).code].failOpenScope).toBeUndefined();
});

test.each([new TypeError('x is not a function'), 'text', undefined, null, new AggregateError([])])(
  '%s is not a network error',
  (thrown) => {
    expect(networkProblem(thrown, NOTHING).code).toBe('internal_error');
  },
);

test('a cut body is a lost connection, a broken head is no HTTP', () => {
  const mismatch = withCode('UND_ERR_RES_CONTENT_LENGTH_MISMATCH');
  expect(networkProblem(mismatch, { sent: true, bytesArrived: true, headArrived: true }).code).toBe(
    'provider_connection_lost',
  );
  expect(networkProblem(mismatch, { sent: true, bytesArrived: true, headArrived: false }).code).toBe(
    'provider_not_json',
  );
});
