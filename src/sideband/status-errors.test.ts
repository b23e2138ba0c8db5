import { expect, test } from 'vitest';
import { statusError } from './status-errors.js';

test('a 413 document nested too deep to be written again goes to the client as it came', () => {
  const json = `{"code":"TOO_LARGE","x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
  const error = statusError(413, {}, Buffer.from(json), 0);
  expect(error.code).toBe('provider_payload_too_large');
  expect(error.clientJson).toBe(json);
});
