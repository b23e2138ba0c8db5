import { createReadStream } from 'node:fs';
import { type Exchange, Exchanges, isOver } from './exchanges.js';
import { fileProblem, isFileError } from './file-problem.js';
import { LogLines } from './log-lines.js';
import { type LogRecord, readLogRecord } from './log-record.js';

export interface NumberedRecord {
  readonly line: number;
  readonly record: LogRecord;
}

/** A file's bytes as they are read, `-` for standard input. Fails with an Error in words. */
export async function* openLog(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 256 * 1024 });
  } catch (thrown) {
    throw isFileError(thrown) ? new Error(fileProblem(file, thrown), { cause: thrown }) : thrown;
  }
}

/** How many calls with messages a log has: what `ping-auth replay` can ask about, more or less. */
export async function countSidebandLines(source: AsyncIterable<Uint8Array>): Promise<number> {
  const lines = new LogLines();
  let count = 0;
  for await (const chunk of source) {
    for (const { text } of lines.push(chunk)) if (text?.includes('"event":"sideband"')) count += 1;
  }
  for (const { text } of lines.end()) if (text?.includes('"event":"sideband"')) count += 1;
  return count;
}

/** All lines of a log, those about no request included, one at a time. */
export async function* readLog(source: AsyncIterable<Uint8Array>): AsyncGenerator<NumberedRecord> {
  const lines = new LogLines();
  for await (const chunk of source) {
    for (const { number, text } of lines.push(chunk)) yield { line: number, record: readLogRecord(text) };
  }
  for (const { number, text } of lines.end()) yield { line: number, record: readLogRecord(text) };
}

/**
 * The exchanges of a log, each once, when it is over; those that never end come at the end (or as soon as `maxOpen`
 * later ones wait). Lines that cannot be read go to `onBroken`.
 */
export async function* readExchanges(
  source: AsyncIterable<Uint8Array>,
  onBroken: (line: number, problem: string) => void,
  maxOpen = 10_000,
): AsyncGenerator<Exchange> {
  const exchanges = new Exchanges(maxOpen);
  const waiting = new Map<number, Exchange>();
  for await (const { line, record } of readLog(source)) {
    if (record.kind === 'other') continue;
    if (record.kind === 'broken') {
      onBroken(line, record.problem);
      continue;
    }
    if (record.kind === 'shadow' || record.kind === 'shadow_call') continue;
    const exchange = exchanges.add(line, record);
    waiting.delete(exchange.key);
    if (isOver(exchange)) yield exchange;
    else waiting.set(exchange.key, exchange);
    if (waiting.size > maxOpen) {
      for (const [key, oldest] of waiting) {
        waiting.delete(key);
        yield oldest;
        break;
      }
    }
  }
  yield* waiting.values();
}
