import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/**
 * The first of some programs that is usable here, for tests that need one and are skipped without it. With `CI` set a missing
 * program is an error instead: a test that skips itself in CI would count as passed.
 * @param programs commands or paths, the preferred one first
 * @param hint how to install one
 * @throws Error with `CI` set, when there is none
 */
export function findTool(
  programs: readonly string[],
  hint: string,
  isUsable: (program: string) => boolean = isInstalled,
): string | undefined {
  const found = programs.find(isUsable);
  if (found === undefined && process.env.CI !== undefined && process.env.CI !== '')
    throw new Error(`none of ${programs.join(', ')} is usable, and CI is set: ${hint}`);
  return found;
}

function isInstalled(program: string): boolean {
  if (program.includes('/')) return existsSync(program);
  try {
    execFileSync('sh', ['-c', `command -v "${program}"`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Kong runs LuaJIT, whose language is Lua 5.1. */
export function isLua51(program: string): boolean {
  try {
    return (
      execFileSync(program, ['-e', 'print(_VERSION)'], { encoding: 'utf8', stdio: 'pipe' }).trim() ===
      'Lua 5.1'
    );
  } catch {
    return false;
  }
}

/** LuaJIT or Lua 5.1; undefined: skip what needs it. */
export const LUA = findTool(['luajit', 'lua5.1', 'lua'], 'apt-get install lua5.1', isLua51);
