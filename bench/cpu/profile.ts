import { readFileSync } from 'node:fs';

/** The parts of V8's .cpuprofile that are used here. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface Spot {
  readonly name: string;
  readonly where: string;
  /** Share of the busy time, its own without what it calls. */
  readonly share: number;
}

/** Not work: waiting for the next event. */
const IDLE = new Set(['(idle)', '(root)']);

/** Where the time of a profile goes, function by function, the largest first. */
export function spots(file: string): Spot[] {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  const byId = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const times = new Map<string, { name: string; where: string; time: number }>();
  let busy = 0;
  profile.samples.forEach((id, i) => {
    const frame = byId.get(id);
    if (frame === undefined || IDLE.has(frame.functionName)) return;
    const time = profile.timeDeltas[i] ?? 0;
    busy += time;
    const where = sourceOf(frame.url, frame.lineNumber);
    const name = frame.functionName || '(anonymous)';
    const key = `${name} ${where}`;
    const spot = times.get(key) ?? { name, where, time: 0 };
    spot.time += time;
    times.set(key, spot);
  });
  return [...times.values()]
    .sort((a, b) => b.time - a.time)
    .map(({ name, where, time }) => ({ name, where, share: time / busy }));
}

const bundles = new Map<string, readonly string[]>();

/** In the bundle every module starts with its path in a comment. */
function sourceOf(url: string, line: number): string {
  if (!url.startsWith('file:') || !url.endsWith('.mjs')) return url.replace(/^.*\//, '') || 'V8';
  const path = decodeURIComponent(new URL(url).pathname);
  let lines = bundles.get(path);
  if (lines === undefined) {
    lines = readFileSync(path, 'utf8').split('\n');
    bundles.set(path, lines);
  }
  for (let at = line; at >= 0; at--) {
    const [, source] = /^\/\/ ((?:src|node_modules)\/\S+)$/.exec(lines[at] ?? '') ?? [];
    if (source !== undefined) return source.replace(/^node_modules\//, '');
  }
  return 'bundle';
}
