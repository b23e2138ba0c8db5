import type { Difference } from './compare.js';
import { PbProbeHost } from './pb-probe-host.js';
import { type PlayedCase, ProbedKong } from './probed-kong.js';
import { replay } from './recording-client.js';
import type { RecordedClient, RecordedPhase, Script } from './recordings.js';
import type { Played } from './tally.js';

/** One request through the probe. */
export interface RunningKongCase {
  readonly script?: Script;
  /** The plugin has a response phase: Kong buffers the answer. */
  readonly buffered?: boolean;
  readonly requestLine?: string;
  /** Header lines; Host is added. Undefined: the request line is all that is sent. */
  readonly headers?: readonly string[] | undefined;
  /** What the upstream answers, if not a 200. */
  readonly upstream?: string;
  readonly upstreamCloses?: boolean;
  /** Kong keeps the connection open behind the answer, as a tunnel: nothing tells the client that it is complete. */
  readonly staysOpen?: boolean;
}

/** What came of it. */
export interface Outcome {
  readonly client: RecordedClient;
  /** Header lines of the request that reached the upstream. */
  readonly upstream: readonly string[];
  readonly phases: readonly RecordedPhase[];
}

/** Cases of a running Kong, each one request with one probe behind it. */
export class RunningKongCases {
  readonly played: Played[] = [];
  readonly #probed: PlayedCase[] = [];
  #kong: ProbedKong | undefined;

  add(name: string, one: RunningKongCase, judge: (outcome: Outcome) => Difference): void {
    const variant = one.buffered === true ? 'br' : 'pb';
    const bare = one.requestLine !== undefined && one.headers === undefined;
    const key = `k${this.#probed.length}.${variant}`;
    const probed: PlayedCase = { key, variant, script: one.script ?? {}, byPath: bare };
    this.#probed.push(probed);
    this.play(name, async () => {
      const kong = this.kong;
      const names = kong.names(key);
      const close = one.upstreamCloses === true;
      const answer = one.upstream === undefined ? undefined : { parts: [Buffer.from(one.upstream)], close };
      const seen = kong.upstream.expect(names, answer, bare ? 'kong' : undefined);
      const expected = one.staysOpen === true ? { hung: true } : undefined;
      // A tunnel that stays silent: only what reached the upstream tells that Kong is done.
      const settled = () => one.staysOpen !== true || seen.length > 0;
      const client = await replay({ sent: [requestOf(one, bare)] }, kong.target, names, expected, settled);
      return judge({ client, upstream: seen[0]?.headers ?? [], phases: kong.phases(probed) });
    });
  }

  play(name: string, play: Played['play']): void {
    this.played.push({ name: `running-kong/${name}`, play });
  }

  get kong(): ProbedKong {
    this.#kong ??= new ProbedKong(this.#probed, new PbProbeHost());
    return this.#kong;
  }
}

function requestOf({ requestLine = 'GET / HTTP/1.1', headers = [] }: RunningKongCase, bare: boolean): string {
  if (bare) return `${requestLine}\r\n`;
  const host = headers.some((line) => line.startsWith('Host:')) ? [] : ['Host: HOST.test'];
  return [requestLine, ...host, ...headers, '', ''].join('\r\n');
}

export function same(what: string, kong: readonly string[], here: readonly string[]): Difference {
  return kong.join('\n') === here.join('\n') ? undefined : `${what}: Kong ${kong.join(', ')}; here ${here}`;
}

export const valuesOf = (lines: readonly string[], header: string): string[] =>
  lines
    .filter((line) => line.toLowerCase().startsWith(`${header.toLowerCase()}: `))
    .map((line) => line.slice(header.length + 2));

/** Status and body, or that the connection ended or stayed open without a byte. */
export function got({ responses, unparsed, hung }: RecordedClient): string {
  const [answer] = responses ?? [];
  if (answer === undefined) return hung === true ? 'hung' : String(unparsed ?? 'none');
  return `${answer.status.split(' ')[1]} ${answer.body}`;
}
