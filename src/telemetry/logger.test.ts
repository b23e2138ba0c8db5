import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLog, type Log } from './logger.js';

let folder: string;
let lines: string[];
let log: Log;
const output = { write: (line: string) => void lines.push(line) };
const records = () => lines.map((line) => JSON.parse(line));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ping-auth-log-'));
  lines = [];
});
afterEach(() => {
  log.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('log', () => {
  it('writes one JSON object a line, with level names and ISO time', () => {
    log = createLog({ output });
    log.logger.info({ a: 1 }, 'hello');
    expect(records()).toEqual([
      { level: 'info', time: expect.stringMatching(/^\d{4}-.*Z$/), pid: process.pid, a: 1, msg: 'hello' },
    ]);
  });

  it('is quiet below its level', () => {
    log = createLog({ output, level: 'warn' });
    log.logger.info('no');
    log.logger.warn('yes');
    expect(records().map((r) => r.msg)).toEqual(['yes']);
  });

  it('blanks a known secret in whatever form a line holds it', () => {
    log = createLog({ output });
    const secret = 'p"ss\\wörd/1';
    log.hideSecret(secret);
    log.logger.info(
      { plain: secret, json: JSON.stringify({ secret }), url: encodeURIComponent(secret) },
      `x${secret}x`,
    );
    log.logger.error({ err: new Error(`refused: ${secret}`) }, 'failed');
    const text = lines.join('');
    for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]) {
      expect(text).not.toContain(form);
    }
    expect(records()[0].msg).toBe('x[redacted]x');
  });

  it('blanks every line of a private key', () => {
    log = createLog({ output });
    log.hideSecret(
      '-----BEGIN PRIVATE KEY-----\nMIIEvgIBADANBgkqhkiG9w0B\nAQEFAASCBKgwggSkAgEAAoIB\n-----END PRIVATE KEY-----',
    );
    log.logger.info('bad line: AQEFAASCBKgwggSkAgEAAoIB');
    expect(records()[0].msg).toBe('bad line: [redacted]');
  });

  it('does not mangle words for a secret of three letters', () => {
    log = createLog({ output });
    log.hideSecret('inf');
    log.logger.info('x');
    expect(records()[0].level).toBe('info');
  });

  it('shows of an error what helps and not what hangs on it', () => {
    log = createLog({ output });
    const error = Object.assign(new Error('broken'), {
      code: 'EPIPE',
      request: { headers: 'secret-header' },
    });
    log.logger.error({ err: error }, 'failed');
    expect(records()[0].err).toMatchObject({ type: 'Error', message: 'broken', code: 'EPIPE' });
    expect(lines.join('')).not.toContain('secret-header');
  });
});

describe('log file', () => {
  const read = (file: string) => readFileSync(file, 'utf8');

  it('gets the full line of which Kong gets a short one', async () => {
    const file = join(folder, 'ping.log');
    log = createLog({ output, file });
    log.logger.info({ body: 'x'.repeat(9000) }, 'long');
    await vi.waitFor(() => expect(read(file)).toContain('x'.repeat(9000)));
    expect(Buffer.byteLength(lines[0] ?? '')).toBeLessThan(2000);
  });

  it('goes on under its old name after logrotate moved it away', async () => {
    const file = join(folder, 'ping.log');
    log = createLog({ output, file });
    log.logger.info('first');
    await vi.waitFor(() => expect(read(file)).toContain('first'));
    renameSync(file, `${file}.1`);
    log.reopen();
    log.logger.info('second');
    await vi.waitFor(() => expect(read(file)).toContain('second'));
    expect(read(`${file}.1`)).not.toContain('second');
  });

  it('that cannot be opened is reported once and harms nothing', async () => {
    log = createLog({ output, file: '/dev/null/ping.log' });
    for (let i = 0; i < 20; i += 1) log.logger.info('work');
    await vi.waitFor(() => expect(records().some((r) => r.event === 'log_file')).toBe(true));
    for (let i = 0; i < 20; i += 1) log.logger.info('work');
    log.reopen();
    log.logger.info('work');
    expect(records().filter((r) => r.msg === 'work')).toHaveLength(41);
    expect(records().filter((r) => r.event === 'log_file')).toHaveLength(1);
  });

  it('on a full disk is reported once and harms nothing', async () => {
    log = createLog({ output, file: '/dev/full' });
    log.logger.info('work');
    await vi.waitFor(() => expect(records().some((r) => /ENOSPC/.test(r.detail ?? ''))).toBe(true));
    for (let i = 0; i < 20; i += 1) log.logger.info('work');
    expect(records().filter((r) => r.msg === 'work')).toHaveLength(21);
    expect(records().filter((r) => r.event === 'log_file')).toHaveLength(1);
  });
});
