/** The messages of an event stream, or in words what speaks against it. */
export type StreamReading =
  | { readonly messages: readonly string[]; readonly fault?: undefined }
  | { readonly fault: string; readonly messages?: undefined };

/**
 * Lines in one stream. Megabytes of empty lines would take a second to read, in which no other event is served; a large result is
 * one line, and a comment that keeps a connection open is two.
 */
export const MAX_LINES = 100_000;

/**
 * The data of a stream's events (the WHATWG format, as far as MCP uses it). Comments, `id`, `retry` and fields that are not
 * defined are dropped, and so are events of a type of their own, which MCP clients do not look at. Events without data are
 * no messages: servers send one first so that clients can resume.
 *
 * Stricter than a browser in two things: a byte order mark at the start, and an event that the end of the stream cuts off.
 */
export function readEventStream(text: string): StreamReading {
  if (text.startsWith('\ufeff')) return { fault: 'the stream starts with a byte order mark' };
  const messages: string[] = [];
  let data: string[] = [];
  let type = '';
  // CR, LF and CRLF end a line. What stands after the last end counts as a line.
  const ends = /\r\n|\n|\r/g;
  for (let start = 0, lines = 1; start < text.length; lines += 1) {
    if (lines > MAX_LINES) return { fault: `the stream has more than ${MAX_LINES} lines` };
    ends.lastIndex = start;
    const end = ends.exec(text);
    const line = text.slice(start, end?.index);
    start = end === null ? text.length : ends.lastIndex;
    if (line === '') {
      const message = data.join('\n');
      if (message !== '' && (type === '' || type === 'message')) messages.push(message);
      data = [];
      type = '';
      continue;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'data') data.push(value);
    else if (field === 'event') type = value;
  }
  return data.length > 0 ? { fault: 'the stream ends in the middle of an event' } : { messages };
}
