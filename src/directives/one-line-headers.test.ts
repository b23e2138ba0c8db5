import { describe, expect, it } from 'vitest';
import { headerParts } from '../../test/model/decisions.js';
import { aRequest, aResponse, deny, echo, permit, SHOW_ALL, showRequest } from '../../test/model/messages.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderField } from '../http/headers.js';
import { decideRequest } from './request-decision.js';
import { decideResponse } from './response-decision.js';

/** Seen on a running Kong 3.9.3: of two `authorization` lines of the policy the last only reached the upstream. */
const outcome = <T>(decide: () => T): T | string => {
  try {
    return decide();
  } catch (error) {
    if (error instanceof PingAuthError) return `${error.code}: ${error.detail}`;
    throw error;
  }
};

function requestHeaders(client: readonly HeaderField[], wanted: readonly HeaderField[]) {
  const request = aRequest({ headers: client });
  const headers = [
    ...echo(request.headers).filter(([name]) => !wanted.some(([other]) => other === name)),
    ...wanted,
  ];
  return outcome(() => {
    const decision = decideRequest(permit(request, { headers }), request, showRequest(request, SHOW_ALL));
    return decision.kind === 'permit'
      ? Object.fromEntries(headerParts(decision.changes.headers).set)
      : 'denied';
  });
}

function responseHeaders(upstream: readonly HeaderField[], wanted: readonly HeaderField[]) {
  const response = aResponse(200, upstream, 'x');
  return outcome(() => {
    const answer = { responseCode: 200, headers: wanted, body: 'x' };
    const { changes } = decideResponse(answer, response, { kind: 'text', text: 'x' }, 'GET');
    return Object.fromEntries(headerParts(changes.headers).set);
  });
}

describe('headers for which nginx has one slot', () => {
  it.each(['authorization', 'user-agent', 'referer', 'content-type', 'range', 'if-match'])(
    '%s is refused with two values, and one line with two equal ones',
    (name) => {
      expect(
        requestHeaders(
          [],
          [
            [name, 'a'],
            [name, 'b'],
          ],
        ),
      ).toBe(`directive_invalid: header ${name} has 2 different values, and Kong sends one`);
      expect(
        requestHeaders(
          [],
          [
            [name, 'a'],
            [name, 'a'],
          ],
        ),
      ).toEqual({ [name]: ['a'] });
    },
  );

  it('others keep all their values', () => {
    const cookies: HeaderField[] = [
      ['cookie', 'a=1'],
      ['cookie', 'b=2'],
    ];
    expect(requestHeaders([], cookies)).toEqual({ cookie: ['a=1', 'b=2'] });
  });

  it("are refused where a line of the client's would stay beside the one that the policy sets", () => {
    const client: HeaderField[] = [
      ['referer', 'c'],
      ['referer', 'd'],
    ];
    expect(requestHeaders(client, [['referer', 'a']])).toMatch(
      /^request_unreadable: header referer occurs twice/,
    );
    expect(requestHeaders(client, [])).toEqual({});
    expect(requestHeaders([['referer', 'c']], [['referer', 'a']])).toEqual({ referer: ['a'] });
  });

  it.each(['content-type', 'etag', 'location', 'expires'])('%s of a response, too', (name) => {
    expect(
      responseHeaders(
        [],
        [
          [name, 'a/a'],
          [name, 'b/b'],
        ],
      ),
    ).toMatch(/^directive_invalid: /);
    expect(
      responseHeaders(
        [],
        [
          [name, 'a/a'],
          [name, 'a/a'],
        ],
      ),
    ).toEqual({ [name]: ['a/a'] });
  });

  it('Set-Cookie of a response is as many lines as the policy wants', () => {
    const cookies: HeaderField[] = [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ];
    expect(responseHeaders([], cookies)).toEqual({ 'set-cookie': ['a=1', 'b=2'] });
  });

  it('several challenges of a denial go out as one list', () => {
    const headers: HeaderField[] = [
      ['WWW-Authenticate', 'Bearer realm="a"'],
      ['www-authenticate', 'Basic'],
    ];
    const request = aRequest();
    const decision = decideRequest(deny({ headers }), request, showRequest(request, SHOW_ALL));
    expect(decision.kind === 'deny' && [...decision.response.headers]).toEqual([
      ['www-authenticate', 'Bearer realm="a", Basic'],
    ]);
    const twice = deny({
      headers: [
        ['Location', '/a'],
        ['Location', '/b'],
      ],
    });
    expect(outcome(() => decideRequest(twice, request, showRequest(request, SHOW_ALL)))).toMatch(
      /^directive_invalid: header location/,
    );
  });
});
