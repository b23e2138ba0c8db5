import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import { isLoopback } from '../../config/formats.js';
import { wordsFor } from '../network-errors.js';
import { type Finding, failed, ok, skipped } from './finding.js';
import type { Product } from './product.js';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Which addresses the name has, asked in the way in which the plugin asks. */
export async function checkName({ host }: Target): Promise<Finding> {
  if (isIP(host) !== 0) return skipped('name', `${host} is an address, so there is no name to resolve`);
  try {
    const addresses = await lookup(host, { all: true });
    return ok('name', `${host} resolves to ${addresses.map(({ address }) => address).join(', ')}`);
  } catch (thrown) {
    const code = codeOf(thrown);
    return failed(
      'name',
      `${host} cannot be resolved: ${wordsFor(code)}`,
      code === 'EAI_AGAIN'
        ? 'No name server answers: check /etc/resolv.conf on the machine (or in the container) that runs Kong.'
        : 'Correct the host in service_url (Kong, plugin ping-auth), or add the name to DNS.',
    );
  }
}

/** Whether anybody listens there. */
export async function checkConnection(target: Target, product: Product, timeoutMs: number): Promise<Finding> {
  const started = performance.now();
  const problem = await new Promise<string | undefined>((resolve) => {
    const socket = connect({ host: target.host, port: target.port, timeout: timeoutMs });
    const end = (result: string | undefined): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => end(undefined));
    socket.once('timeout', () => end('ETIMEDOUT'));
    socket.once('error', (error) => end(codeOf(error)));
  });
  const where = `${target.host}:${target.port}`;
  if (problem === undefined) {
    return ok('connection', `${where} accepts connections (${Math.round(performance.now() - started)} ms)`);
  }
  if (problem === 'ECONNREFUSED') {
    return failed(
      'connection',
      `${where} refuses connections: nothing listens there`,
      product.remedies.refused,
    );
  }
  const local = isLoopback(target.host) ? '' : ' A firewall between Kong and it may drop the packets.';
  return failed(
    'connection',
    `${where} cannot be reached: ${wordsFor(problem)}`,
    `Check host and port in service_url (Kong, plugin ping-auth) and the route to it.${local}`,
  );
}

function codeOf(thrown: unknown): string {
  const error = thrown instanceof AggregateError ? (thrown.errors[0] as unknown) : thrown;
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.message : String(error);
}
