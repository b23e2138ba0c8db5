import { EventEmitter } from 'node:events';

export type LogLevel = 'debug' | 'info' | 'notice' | 'warn' | 'error' | 'crit' | 'alert';

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  /** The request it belongs to. */
  readonly requestId: string | undefined;
}

/** nginx cuts a log line at this many bytes. */
const MAX_LINE = 2048;

/** What would stand in Kong's error.log, every level kept. Emits `line` for each one. */
export class KongLog extends EventEmitter<{ line: [LogLine] }> {
  readonly lines: LogLine[] = [];

  write(level: LogLevel, message: string, requestId?: string): void {
    const line = { level, message: message.slice(0, MAX_LINE), requestId };
    this.lines.push(line);
    if (this.lines.length > 20_000) this.lines.splice(0, 10_000);
    this.emit('line', line);
  }

  /** The messages, joined; for `toMatch` in tests. */
  text(): string {
    return this.lines.map((line) => `[${line.level}] ${line.message}`).join('\n');
  }
}
