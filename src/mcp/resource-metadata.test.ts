import { describe, expect, it } from 'vitest';
import { HeaderList } from '../http/headers.js';
import { withResourceMetadata } from './response-rules.js';

const URL = 'https://gw.example/.well-known/oauth-protected-resource/mcp';
const P = `resource_metadata="${URL}"`;
const challenges = (status: number, ...challenges: string[]) =>
  withResourceMetadata(
    status,
    HeaderList.from(challenges.map((value) => ['WWW-Authenticate', value])),
    URL,
  ).getAll('www-authenticate');

describe('a challenge', () => {
  it.each([
    ['Bearer', `Bearer ${P}`],
    ['bearer ', `bearer ${P} `],
    ['Bearer realm="mcp"', `Bearer ${P}, realm="mcp"`],
    [
      'Bearer error="insufficient_scope", scope="a b"',
      `Bearer ${P}, error="insufficient_scope", scope="a b"`,
    ],
    ['Basic realm="x", Bearer', `Basic realm="x", Bearer ${P}`],
    ['Bearer, Basic realm="x"', `Bearer ${P}, Basic realm="x"`],
    [
      'Basic realm="a, Bearer \\"b", Bearer realm="resource_metadata=1"',
      `Basic realm="a, Bearer \\"b", Bearer ${P}, realm="resource_metadata=1"`,
    ],
  ])('of %s says where the metadata is', (challenge, wanted) => {
    for (const status of [401, 403]) expect(challenges(status, challenge)).toEqual([wanted]);
    expect(challenges(401, 'Basic realm="x"', challenge)).toEqual(['Basic realm="x"', wanted]);
    expect(challenges(200, challenge)).toEqual([challenge]);
  });

  it.each([
    ['Bearer resource_metadata="https://other.example/"'],
    ['Bearer realm="x", Resource_Metadata=https://other.example/'],
    ['Basic realm="Bearer"'],
    ['Basic realm=", Bearer realm="'],
    ['DPoP algs="ES256"'],
    ['BearerX realm="x"'],
    ['Digest bearer="1"'],
    ['Bearer abc123=='],
    ['Basic realm="not closed, Bearer x="'],
  ])('stays as it is: %s', (challenge) => {
    expect(challenges(401, challenge)).toEqual([challenge]);
    expect(challenges(403, challenge)).toEqual([challenge]);
  });

  it('is made for a 401 that has none, and for nothing else', () => {
    expect(challenges(401)).toEqual([`Bearer ${P}`]);
    for (const status of [200, 400, 403, 407, 500]) expect(challenges(status)).toEqual([]);
  });
});
