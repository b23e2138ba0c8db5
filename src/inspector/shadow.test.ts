// What a shadow policy decided, joined to the request it belongs to.
import { expect, it } from 'vitest';
import { toDetail } from './detail.js';
import { matcher, NO_FILTERS } from './page/filters.js';
import { toRow } from './row.js';
import { ExchangeStore } from './store.js';

const id = 'rid-1';
const payload = {
  method: 'GET',
  url: 'http://h:80/a',
  http_version: '1.1',
  headers: [{ host: 'h' }],
  body: '',
};
const DECISION = {
  event: 'decision',
  phase: 'access',
  request_id: id,
  decision: 'permit',
  method: 'GET',
  path: '/a',
};
const RESPONSE = { event: 'decision', phase: 'response', request_id: id, decision: 'pass' };
const CALL = {
  event: 'sideband',
  phase: 'access',
  request_id: id,
  payload,
  answer: { ...payload, headers: [{ host: 'h' }] },
};
const SHADOW = {
  ...{ event: 'shadow', phase: 'access', request_id: id, result: 'different' },
  ...{ live: 'permit', shadow: 'deny 403', differences: ['permit → deny 403'] },
};
const SHADOW_CALL = {
  ...{ event: 'shadow_call', phase: 'access', request_id: id },
  answer: { response: { response_code: '403', headers: [], body: 'not for you' } },
};

function stored(...records: object[]) {
  const store = new ExchangeStore({ exchanges: 10, bytes: 1_000_000 });
  for (const [index, record] of records.entries())
    store.add({ number: index + 1, text: JSON.stringify(record) });
  const { exchanges } = store.since(0, 10);
  return exchanges;
}

it.each([
  ['a log', [DECISION, RESPONSE, SHADOW]],
  ['a log with messages', [CALL, DECISION, RESPONSE, SHADOW_CALL, SHADOW]],
  ['a recording', [CALL, SHADOW_CALL]],
])('of %s is in the row of its request, and can be filtered', (_, records) => {
  const exchanges = stored(...records);
  expect(exchanges).toHaveLength(1);
  const [row] = exchanges.map((exchange) => toRow(exchange, new Map()));
  expect(row?.access?.shadow).toEqual({
    result: 'different',
    ...{ live: 'permit', shadow: 'deny 403', differences: ['permit → deny 403'] },
  });
  expect(row && matcher({ ...NO_FILTERS, shadow: 'different' })(row)).toBe(true);
  expect(row && matcher({ ...NO_FILTERS, shadow: 'same' })(row)).toBe(false);
});

it('is side by side with the live decision in the detail', () => {
  const [exchange] = stored(CALL, DECISION, SHADOW_CALL, SHADOW);
  const detail = exchange && toDetail(exchange, {}, new Map());
  expect(detail?.access?.shadowSides?.start).toEqual({
    change: 'changed',
    before: 'GET http://h:80/a',
    after: '403 Forbidden',
  });
});

it('of a request that is no longer kept is left out', () => {
  expect(stored(SHADOW, SHADOW_CALL)).toEqual([]);
});
