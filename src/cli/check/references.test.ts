import { describe, expect, it } from 'vitest';
import { resolveReferences } from './references.js';

const environment = {
  MY_SECRET: 's-1',
  CORP_MY_SECRET: 's-2',
  JSON_SECRET: '{"token":"s-3","n":1}',
  DECK_HOST: 'pa.example',
  EMPTY: '',
};
const deck = (name: string) => `$\{{ env "${name}" }}`;
const vaults = [{ name: 'corp', prefix: 'CORP_' }];

describe('references', () => {
  it.each([
    ['plain', 'plain'],
    ['{vault://env/my-secret}', 's-1'],
    ['{vault://env/MY_SECRET}', 's-1'],
    ['{vault://env/my-secret?prefix=corp-}', 's-2'],
    ['{vault://corp/my-secret}', 's-2'],
    ['{vault://env/json-secret/token}', 's-3'],
    [`https://${deck('DECK_HOST')}:3020`, 'https://pa.example:3020'],
  ])('%s', (value, expected) => {
    expect(resolveReferences({ x: value }, environment, vaults)).toEqual({
      config: { x: expected },
      unresolved: [],
    });
  });

  it.each([
    ['{vault://env/other}', /environment variable OTHER, which is not set/],
    ['{vault://env/empty}', /EMPTY, which is not set/],
    ['{vault://aws/my-secret/key}', /cannot be asked from here/],
    ['{vault://env/json-secret/n}', /not a JSON object with a string "n"/],
    ['{vault://env/my-secret/key}', /not a JSON object/],
    [`a ${deck('DECK_NONE')}`, /DECK_NONE is not set/],
  ])('%s cannot be resolved', (value, problem) => {
    const { config, unresolved } = resolveReferences({ x: value, n: 1 }, environment, vaults);
    expect(config).toEqual({ n: 1 });
    expect(unresolved).toMatchObject([{ field: 'x', problem: expect.stringMatching(problem) }]);
    expect(unresolved[0]?.isElsewhere === true).toBe(value.startsWith('{vault://aws'));
  });
});
