import { expect, test } from 'vitest';
import { retryAfterSeconds } from './status-errors.js';

const WALL = Date.UTC(2026, 5, 15, 12, 0, 0);

test.each<[string, string | string[] | undefined, number]>([
  ['seconds', '17', 17],
  ['seconds with spaces', ' 17 ', 17],
  ['at once: at least a second, or everybody would come back at once', '0', 1],
  ['a year: capped', '31536000', 300],
  ['more digits than a number can hold', '9'.repeat(400), 1],
  ['missing', undefined, 1],
  ['empty', '', 1],
  ['words', 'soon', 1],
  ['negative', '-5', 1],
  ['a fraction', '1.5', 1],
  ['an exponent', '1e3', 1],
  ['hexadecimal', '0x10', 1],
  ['repeated', ['3', '5'], 1],
  ['a date', 'Mon, 15 Jun 2026 12:00:42 GMT', 42],
  ['a date of RFC 850', 'Monday, 15-Jun-26 12:00:42 GMT', 42],
  ['a date of asctime', 'Mon Jun 15 12:00:42 2026', 42],
  ['a date that has passed', 'Mon, 15 Jun 2020 12:00:00 GMT', 1],
  ['a date far away', 'Mon, 15 Jun 2099 12:00:00 GMT', 300],
  ['a date that does not exist', 'Mon, 99 Foo 2026 12:00:00 GMT', 1],
  ['a date in another form', '2026-06-15T12:00:42Z', 1],
])('%s', (_, value, seconds) => {
  expect(retryAfterSeconds(value, WALL)).toBe(seconds);
});
