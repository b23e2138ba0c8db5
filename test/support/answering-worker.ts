import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Identity } from './certificates.js';

/** A policy provider on an event loop of its own, so that a test can block the one of the plugin. */
export interface AnsweringWorker {
  readonly url: string;
  /** Resolves when the next call has arrived. */
  received(): Promise<unknown>;
  close(): Promise<void>;
}

const PROGRAM = `
  const { createServer } = require('node:https');
  const { parentPort, workerData: { cert, key, afterMs, status, answer } } = require('node:worker_threads');
  const server = createServer({ cert, key }, (request, response) => {
    request.resume().on('end', () => {
      parentPort.postMessage('received');
      if (afterMs !== undefined) setTimeout(() => response.writeHead(status).end(answer), afterMs);
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

/** @param afterMs undefined: it never answers */
export async function startAnsweringWorker(
  { cert, key }: Identity,
  answer: object,
  afterMs: number | undefined,
): Promise<AnsweringWorker> {
  const workerData = { cert, key, afterMs, status: 200, answer: JSON.stringify(answer) };
  const worker = new Worker(PROGRAM, { eval: true, workerData });
  const [port] = (await once(worker, 'message')) as [number];
  const received = () => once(worker, 'message');
  const close = async () => void (await worker.terminate());
  return { url: `https://127.0.0.1:${port}`, received, close };
}
