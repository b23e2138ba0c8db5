import { expect, it } from 'vitest';
import { countCalls, type PhaseCount } from '../../bench/calls/count-calls.js';

/** Reads, writes and round trips of access; then of response. A lower number is a success: write it down here. */
const EXPECTED: Readonly<Record<string, string>> = {
  'GET, nothing changed': '2+2 in 1, 4+0 in 1',
  'GET behind a load balancer': '4+2 in 1, 4+0 in 1',
  'POST of 1 kB, nothing changed': '3+2 in 2, 4+0 in 1',
  'GET, denied': '2+2 in 1',
  'GET, headers, path and query changed': '2+5 in 1, 4+0 in 1',
  'POST of 1 kB, body changed': '3+4 in 2, 4+0 in 1',
  'response, headers and status changed': '2+2 in 1, 4+4 in 1',
  'response, body filtered': '2+2 in 1, 4+2 in 1',
};
/** Without the nginx variable ten reads more, but for what a load balancer's headers make necessary anyway. */
const EXPECTED_WITHOUT: typeof EXPECTED = Object.fromEntries(
  Object.entries(EXPECTED).map(([name, counts]) => [
    name,
    counts.replace(/^\d/, (reads) => String(name.includes('load balancer') ? 12 : Number(reads) + 10)),
  ]),
);

const shown = ({ reads, writes, roundTrips }: PhaseCount): string => `${reads}+${writes} in ${roundTrips}`;

it('a request costs Kong no more calls and round trips than it used to', async () => {
  const counts = await countCalls();
  for (const variable of [true, false]) {
    const seen = counts
      .filter((one) => one.variable === variable)
      .map(({ name, access, response }) => [
        name,
        [access, ...(response ? [response] : [])].map(shown).join(', '),
      ]);
    expect(Object.fromEntries(seen)).toEqual(variable ? EXPECTED : EXPECTED_WITHOUT);
  }
});
