import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.js';

/** Caches of tools, which take the temporary folder for a place that stays. */
const CACHES = /^(tsx-\d+|node-compile-cache|v8-compile-cache-\d+)$/;
/** What is just ending may take so long. */
const GRACE_MS = 5000;

let before: string | undefined;
let folder: string | undefined;

/** vitest's global set-up: this run has a temporary folder of its own, so that whatever is left is known to be its doing. */
export function setup(): void {
  before = process.env.TMPDIR;
  // A short name: sockets stand in it, and their paths may have a hundred bytes.
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'pa-')));
  process.env.TMPDIR = folder;
}

/** @throws Error when a process of this run still runs, or a file of it is there: the test command fails. */
export async function teardown(): Promise<void> {
  const mine = folder;
  if (mine === undefined) return;
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  await until('nothing is left', () => processes(mine).length + files(mine).length === 0, GRACE_MS).catch(
    () => undefined,
  );
  const left = [...processes(mine).map(({ pid, line }) => `process ${pid}: ${line}`), ...files(mine)];
  for (const { pid } of processes(mine)) process.kill(pid, 'SIGKILL');
  rmSync(mine, { recursive: true, force: true });
  if (left.length === 0) return;
  // vitest prints the error, and would end with 0.
  process.exitCode = 1;
  throw new Error(`the tests left ${left.length} processes or files behind:\n${left.join('\n')}`);
}

function files(root: string): string[] {
  return readdirSync(root)
    .filter((name) => !CACHES.test(name))
    .map((name) => `${join(root, name)}: ${readdirSafely(join(root, name)).join(' ')}`);
}

function readdirSafely(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/**
 * Processes of this run, whoever their parent is now: their environment or their command line names its temporary folder.
 * Only where there is /proc.
 */
function processes(root: string): { pid: number; line: string }[] {
  if (!existsSync('/proc/self/environ')) return [];
  const own = `TMPDIR=${root}`;
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    const line = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    // A zombie has neither.
    const isMine = line.includes(root) || read(`/proc/${pid}/environ`).split('\0').includes(own);
    return isMine ? [{ pid, line }] : [];
  });
}

/** Empty for a process that has ended meanwhile, or is another user's. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
