import { printTable } from '../support/report.js';
import { countCalls, type PhaseCount } from './count-calls.js';

/** `npm run bench -- calls`: what one request costs Kong, in PDK calls and round trips. Exact, the same on every machine. */
const shown = (count: PhaseCount | undefined): string[] =>
  count === undefined
    ? ['–', '–', '–']
    : [String(count.reads), String(count.writes), String(count.roundTrips)];

const rows = (await countCalls()).map(({ name, variable, access, response }) => [
  name,
  variable ? 'yes' : 'no',
  ...shown(access),
  ...shown(response),
]);
printTable(
  ['request', 'variable', 'access reads', 'writes', 'trips', 'response reads', 'writes', 'trips'],
  rows,
);
