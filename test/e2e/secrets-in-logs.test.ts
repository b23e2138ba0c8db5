import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOSTS } from '../support/hosts.js';
import { RIG_SECRET, type Rig, startRig } from '../support/rig.js';
import { until } from '../support/until.js';

/** Whatever is found of these in a log is a leak. */
const SECRETS = {
  'the shared secret': RIG_SECRET,
  'a bearer token': 'tok-client-4411',
  'a cookie': 'sess-client-8822',
  'a cookie of the upstream': 'sess-upstream-9933',
  'the state': 'state-inner-7744',
};

describe.each(HOSTS)('logs under %s', (host) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({
      host,
      config: { enable_debug_logging: true },
      pluginServerArgs: ['--log-level', 'debug'],
      rules: [{ name: 'state', match: { phase: 'request' }, state: { token: SECRETS['the state'] } }],
    });
  });
  afterAll(() => rig?.close());

  it('with debug logging on, both messages are there, whole lines, and no secret', async () => {
    const told = {
      headers: [['Set-Cookie', `s=${SECRETS['a cookie of the upstream']}`]],
      body: 'visible-answer',
    };
    const path = `/answer/${Buffer.from(JSON.stringify(told)).toString('base64url')}`;
    const got = await rig.send({
      method: 'POST',
      path,
      headers: [
        ['Authorization', `Bearer ${SECRETS['a bearer token']}`],
        ['Cookie', `s=${SECRETS['a cookie']}`],
      ],
      body: 'visible-request',
    });
    expect(got.status).toBe(200);
    await until('the sideband messages are in the log', () => {
      return rig.log().includes('visible-request') && rig.log().includes('visible-answer');
    });
    for (const [what, secret] of Object.entries(SECRETS))
      expect(rig.log().includes(secret), what).toBe(false);
    const cut = rig
      .log()
      .split('\n')
      .filter((line) => line.includes('visible-') && !line.trimEnd().endsWith('}'));
    expect(cut).toEqual([]);
  });
});
