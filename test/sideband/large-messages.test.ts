import { duplexPair } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { parseConfig } from '../../src/config/parse-config.js';
import { HeaderList } from '../../src/http/headers.js';
import { nextTurn } from '../../src/http/text.js';
import { createSetup, type Instance } from '../../src/plugin/instance.js';
import { MemoryBudget } from '../../src/plugin/memory-budget.js';
import { createSidebandClient } from '../../src/sideband/sideband-client.js';
import { SidebandRuntime } from '../../src/sideband/sideband-runtime.js';
import { SILENT_TELEMETRY } from '../../src/telemetry/telemetry.js';
import {
  accessPhase,
  type FakeGateway,
  fakeGateway,
  fakeInstance,
  HOST,
  REQUEST,
} from '../support/fake-instance.js';
import { PUNCTUAL_CLOCK } from '../support/sideband-clients.js';

/** Large messages in this process, with a provider at the other end of a pipe: counted in turns of the event loop, not in time. */

/** Steps of work on large messages so far, of this process: the turns of the event loop for which one was planned. */
let steps = 0;
beforeEach(() => {
  const plan = globalThis.setImmediate;
  const counting = (callback: (...args: unknown[]) => void, ...args: unknown[]) => {
    if (callback.name !== 'startStep') return plan(callback, ...args);
    return plan(() => {
      steps += 1;
      callback();
    });
  };
  vi.spyOn(globalThis, 'setImmediate').mockImplementation(counting as typeof setImmediate);
});
afterEach(() => vi.restoreAllMocks());

const closing = new Closing();
afterEach(() => closing.close());

/** How many turns of the event loop the provider takes for an answer. */
const ANSWER_TURNS = 5;

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Echoes each payload with a state, once it has all of it. */
function echoingProvider(): SidebandRuntime {
  const runtime = new SidebandRuntime(PUNCTUAL_CLOCK, () => (_options, callback) => {
    const [near, far] = duplexPair();
    let pieces: Buffer[] = [];
    let missing: number | undefined;
    far.on('data', (piece: Buffer) => {
      pieces.push(piece);
      if (missing === undefined) {
        const head = Buffer.concat(pieces).toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        const [, length] = /content-length: (\d+)/i.exec(head) ?? [];
        if (end < 0 || length === undefined) return;
        missing = Number(length) + end + 4 - head.length;
      } else missing -= piece.length;
      if (missing > 0) return;
      const all = Buffer.concat(pieces);
      pieces = [];
      missing = undefined;
      const answer = [all.subarray(all.indexOf('\r\n\r\n') + 4, -1), Buffer.from(',"state":1}')];
      const length = answer.reduce((sum, { length }) => sum + length, 0);
      const write = () => {
        far.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`);
        for (const part of answer) {
          for (let at = 0; at < part.length; at += 65_536) far.write(part.subarray(at, at + 65_536));
        }
      };
      void turns(ANSWER_TURNS).then(write);
    });
    setImmediate(() => callback(null, Object.assign(near, { ref: () => near, unref: () => near }) as never));
  });
  closing.add(() => runtime.close());
  return runtime;
}

function instance(): Instance {
  const config = parseConfig({
    service_url: 'http://127.0.0.1:1',
    shared_secret: 's',
    secret_header_name: 'CLIENT-TOKEN',
  });
  const client = createSidebandClient(config, {}, echoingProvider());
  return {
    ...fakeInstance(),
    budget: new MemoryBudget(2 ** 40),
    setup: createSetup(config, client, HOST, SILENT_TELEMETRY),
  };
}

/** A request with this body, as Kong hands it over. */
function post(body: Buffer): FakeGateway {
  const headers = HeaderList.from([
    ['host', 'api.example:8000'],
    ['content-type', 'text/plain'],
  ]);
  return fakeGateway({ reading: () => ({ request: { ...REQUEST, method: 'POST', headers, body } }) });
}

/** Until it is done: turns of the event loop, and steps of work on others in them. */
async function cost(work: Promise<unknown>): Promise<{ turns: number; steps: number }> {
  const before = steps;
  let isDone = false;
  void work.finally(() => {
    isDone = true;
  });
  let taken = 0;
  for (; !isDone; taken++) await turns(1);
  await work;
  return { turns: taken, steps: steps - before };
}

const LARGE = Buffer.alloc(2.5 * 1024 * 1024, 'a');

describe('a small request', () => {
  test('waits for one step in a turn, however many large messages are in progress', async () => {
    const policy = instance();
    await accessPhase(policy, post(Buffer.from('warm')), {});
    const alone = await cost(accessPhase(policy, post(Buffer.from('small')), {}));
    expect(alone.steps).toBe(0);

    const large = Array.from({ length: 12 }, () => post(LARGE));
    const inProgress = Promise.all(large.map((gateway) => accessPhase(policy, gateway, {})));
    await nextTurn();
    const small = post(Buffer.from('small'));
    const beside = await cost(accessPhase(policy, small, {}));
    expect(small.deeds).toMatchObject([{ did: 'permit', changes: { body: undefined } }]);
    expect(beside.steps).toBeGreaterThan(0);
    expect(beside.steps).toBeLessThanOrEqual(beside.turns);
    // It may need a connection of its own.
    expect(beside.turns).toBeLessThanOrEqual(2 * alone.turns + 10);

    const all = await cost(inProgress);
    // The others were by no means done.
    expect(all.steps).toBeGreaterThan(10 * beside.steps);
    for (const { deeds } of large)
      expect(deeds).toMatchObject([{ did: 'permit', changes: { body: undefined } }]);
  });
});

describe('a turn of the event loop', () => {
  test('has one step in it, and all get their turn in the order in which they asked', async () => {
    const order: string[] = [];
    let isDone = false;
    const others = (async () => {
      for (; !isDone; order.push('turn')) await turns(1);
    })();
    const work = async (name: string) => {
      for (let step = 0; step < 3; step++) {
        await nextTurn();
        order.push(name);
      }
    };
    await Promise.all(['a', 'b', 'c'].map(work));
    isDone = true;
    await others;
    const done = order.filter((name) => name !== 'turn');
    expect(done.join('')).toBe('abcabcabc');
    for (const [at, name] of order.entries()) if (name !== 'turn') expect(order[at + 1]).toBe('turn');
  });
});
