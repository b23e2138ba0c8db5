import { describe, expect, it } from 'vitest';
import { differences, type Json, withChanges } from './recording-files.js';

const RECORDING: Json = {
  requests: { get: { sent: ['GET /'] } },
  cases: {
    one: {
      request: 'get',
      br: { phases: [1], client: { a: 1 } },
      mr: { phases: 'same as br', client: 'same as br' },
    },
  },
};

describe('a recording with changes', () => {
  it('is the same without any', () => {
    expect(withChanges(RECORDING, [])).toEqual(RECORDING);
  });

  it('does not let a variant follow another one that came out differently', () => {
    const changed = withChanges(RECORDING, [
      { file: 'x', at: ['cases', 'one', 'br', 'phases'], observed: [2] },
    ]);
    expect(changed).toMatchObject({
      cases: { one: { br: { phases: [2] }, mr: { phases: [1], client: 'same as br' } } },
    });
  });

  it('says "same as" again if both came out differently in the same way', () => {
    const changes = ['br', 'mr'].map((variant) => ({
      file: 'x',
      at: ['cases', 'one', variant, 'phases'],
      observed: [2],
    }));
    expect(withChanges(RECORDING, changes)).toMatchObject({
      cases: { one: { br: { phases: [2] }, mr: { phases: 'same as br' } } },
    });
  });

  it('lists its differences by their places', () => {
    const changed = withChanges(RECORDING, [
      { file: 'x', at: ['cases', 'one', 'br', 'phases', 0], observed: 2 },
    ]);
    expect(differences(RECORDING, RECORDING)).toEqual([]);
    expect(differences(RECORDING, changed)).toEqual([
      'cases/one/br/phases/0: 1 | 2',
      'cases/one/mr/phases: "same as br" | [1]',
    ]);
  });
});
