// Makes the page of `ping-auth inspect`: script and style bundled, docs/errors.md as a page and by code. The build
// puts the result into the executable as texts.
import { readFileSync } from 'node:fs';
import { build } from 'esbuild';
import { Marked } from 'marked';

/**
 * @param root the project's folder, with a slash at its end
 * @returns {Promise<{files: import('../src/inspector/server.js').PageFiles, define: Record<string, string>, metafile: import('esbuild').Metafile}>}
 */
export async function inspectorPage(root) {
  const source = `${root}src/inspector/page/`;
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: { page: `${source}main.tsx` },
    outdir: `${root}dist/page`,
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome115', 'firefox115', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  });
  const text = (ending) => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? '';
  const advice = readFileSync(`${root}docs/errors.md`, 'utf8');
  const files = {
    html: readFileSync(`${source}index.html`, 'utf8'),
    script: text('.js'),
    style: text('.css'),
    icon: readFileSync(`${source}icon.svg`, 'utf8'),
    troubleshooting: asPage(advice),
    remedies: byCode(advice),
  };
  // A text, not an object: of an object esbuild makes a module that every other one begins with.
  return { files, define: { INSPECTOR_PAGE: JSON.stringify(JSON.stringify(files)) }, metafile };
}

/** The text of each section whose heading is an error code. */
function byCode(markdown) {
  const sections = markdown.split(/^(?=##+ )/m);
  const entries = sections.flatMap((section) => {
    const [, code, text] = /^### `(\w+)`\n+([\s\S]*)$/.exec(section) ?? [];
    return code === undefined ? [] : [[code, withoutLinks(text).trim()]];
  });
  return Object.fromEntries(entries);
}

function asPage(markdown) {
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }) {
        const id = text
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-');
        return `<h${depth} id="${id}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      // Other pages of the documentation are not served.
      link({ href, tokens }) {
        const words = this.parser.parseInline(tokens);
        return href.startsWith('#') ? `<a href="${href}">${words}</a>` : words;
      },
    },
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Troubleshooting · ping-auth</title>
<link rel="stylesheet" href="/page.css">
<main class="document">
${marked.parse(markdown)}
</main>
</html>
`;
}

function withoutLinks(markdown) {
  return markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
}
