import { afterEach, beforeAll, beforeEach } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { SidebandRuntime } from '../../src/sideband/sideband-runtime.js';
import { type Authority, createAuthority, type Identity } from './certificates.js';
import { type Answering, type HostileProvider, response, startHostileProvider } from './hostile-provider.js';
import { PERMIT, TestClock } from './sideband-clients.js';

/** Answers every call with a permit that changes nothing. */
export const permit: Answering = (socket) => socket.write(response('200 OK', PERMIT));

/** What the tests of one file share: an authority; and for each test a clock and a runtime of its own. */
export interface SidebandSetup {
  readonly authority: Authority;
  /** Of the providers: for 127.0.0.1. */
  readonly identity: Identity;
  readonly clock: TestClock;
  readonly runtime: SidebandRuntime;
  /** Closed after each test. */
  readonly closing: Closing;
  /** A provider that is closed after the test. */
  provider(answer: Answering, tls?: Identity): Promise<HostileProvider>;
}

/** Call it once at the top of a test file: the hooks are that file's. */
export function sidebandSetup(): SidebandSetup {
  const closing = new Closing();
  let authority: Authority;
  let identity: Identity;
  let clock: TestClock;
  let runtime: SidebandRuntime;
  beforeAll(async () => {
    authority = await createAuthority();
    identity = await authority.issueServer(['127.0.0.1']);
  });
  beforeEach(() => {
    clock = new TestClock();
    runtime = new SidebandRuntime(clock);
    closing.add(() => runtime.close());
  });
  afterEach(() => closing.close());
  return {
    closing,
    get authority() {
      return authority;
    },
    get identity() {
      return identity;
    },
    get clock() {
      return clock;
    },
    get runtime() {
      return runtime;
    },
    async provider(answer, tls = identity) {
      const server = await startHostileProvider(tls, answer);
      closing.add(() => server.close());
      return server;
    },
  };
}
