import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const IMPORTED = /(?<=\bfrom '|\bimport\(["'])\.[^"']*\.js(?=["'])/g;

/**
 * Leaves in a folder of emitted declarations those that index.d.ts reaches, and puts a CommonJS twin beside each, because
 * a `require` of the package must find types that are CommonJS, too.
 */
export function keepLibraryTypes(folder) {
  const reached = new Map();
  const waiting = ['index.d.ts'];
  for (const path of waiting) {
    if (reached.has(path)) continue;
    const text = readFileSync(join(folder, path), 'utf8');
    reached.set(path, text);
    for (const [target] of text.matchAll(IMPORTED))
      waiting.push(join(dirname(path), target.replace(/js$/, 'd.ts')));
  }
  rmSync(folder, { recursive: true });
  for (const [path, text] of reached) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
    const twin = text.replaceAll(IMPORTED, (target) => target.replace(/js$/, 'cjs'));
    writeFileSync(join(folder, path.replace(/ts$/, 'cts')), twin);
  }
}
