import type { HeaderLines } from '../http/message-head.js';
import type { RequestContext } from '../request-context.js';

/**
 * What a conditional request makes of a 200. nginx looks (`ngx_http_not_modified_filter_module.c`) unless it streams an
 * upstream's answer: Kong's own answers and those that it buffered go through this.
 */
export function condition({ headers, response }: RequestContext): 'met' | 'not modified' | 'failed' {
  if (response.status !== 200) return 'met';
  const modified = time(response.headers, 'last-modified');
  const tag = response.headers.get('etag');
  const ifMatch = headers.get('if-match');
  const ifNoneMatch = headers.get('if-none-match');
  const failed =
    (headers.has('if-unmodified-since') && !(time(headers, 'if-unmodified-since') >= modified)) ||
    (ifMatch !== undefined && !names(ifMatch, tag));
  if (failed) return 'failed';
  if (ifNoneMatch === undefined && !headers.has('if-modified-since')) return 'met';
  // Kong leaves nginx's `if_modified_since exact`: another time, also a later one, is a change.
  const changed = headers.has('if-modified-since') && time(headers, 'if-modified-since') !== modified;
  const another = ifNoneMatch !== undefined && !names(weak(ifNoneMatch), tag && weak(tag));
  return changed || another ? 'met' : 'not modified';
}

/** NaN, which is no time's equal, when there is none. */
function time(headers: HeaderLines, name: string): number {
  return Date.parse(headers.get(name) ?? '');
}

function names(list: string, tag: string | undefined): boolean {
  return list === '*' || list.split(',').some((one) => one.trim() === tag);
}

function weak(tags: string): string {
  return tags.replace(/(^|,\s*)W\//g, '$1');
}
