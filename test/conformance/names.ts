import { createHash } from 'node:crypto';
import type { RecordedBody } from './recordings.js';

const LONG = 3000;

/** In `Server` and `Via`; in the recordings it stands for the version of whichever Kong. */
const RECORDED_VERSION = 'kong/3.9.3';
const KONG_VERSION = /kong\/\d+(?:\.\d+)+/g;

export interface Ports {
  readonly plain: number;
  readonly tls: number;
  readonly upstream: number;
}

/**
 * Between what a recording says and what a test sends and sees. Recordings name what differs from run to run by tokens:
 * the case's host and path, ports, ids, dates of that day, latencies, addresses of Lua tables.
 */
export class Names {
  readonly host: string;

  constructor(
    readonly key: string,
    private readonly ports: Ports,
  ) {
    this.host = `${key}.test`;
  }

  /** A recorded text as it is sent. */
  send(text: string): string {
    return text
      .replaceAll('HOST.test', this.host)
      .replaceAll('/NOHOST', `/nohost-${this.key}`)
      .replaceAll('127.0.0.1:UPSTREAM', `127.0.0.1:${this.ports.upstream}`);
  }

  /** A text that was seen, with tokens. */
  seen(text: string): string {
    return text
      .replaceAll(this.host, 'HOST.test')
      .replaceAll(`/nohost-${this.key}`, '/NOHOST')
      .replaceAll(`127.0.0.1:${this.ports.upstream}`, '127.0.0.1:UPSTREAM')
      .replace(`X-Forwarded-Port: ${this.ports.plain}`, 'X-Forwarded-Port: PLAIN')
      .replace(`X-Forwarded-Port: ${this.ports.tls}`, 'X-Forwarded-Port: TLS')
      .replaceAll(KONG_VERSION, RECORDED_VERSION)
      .replace(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, (date) => {
        return Math.abs(Date.parse(date) - Date.now()) < 3_600_000 ? 'DATE' : date;
      })
      .replace(/\b[0-9a-f]{32}\b/g, 'ID')
      .replace(/table: 0x[0-9a-f]+/g, 'table: 0x')
      .replace(/(X-Kong-\w+-Latency: )\d+/gi, '$1N');
  }

  port(value: number): 'PLAIN' | 'TLS' | number {
    return value === this.ports.plain ? 'PLAIN' : value === this.ports.tls ? 'TLS' : value;
  }

  body(bytes: Buffer): RecordedBody {
    if (bytes.length > LONG) {
      return { len: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    }
    return this.seen(bytes.toString('latin1'));
  }
}
