/** An answer of the policy provider that is no decision, although it may look like one. */
export interface Lie {
  readonly what: string;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
  /** The connection ends after the body, whatever was announced. */
  readonly cut?: boolean;
  /** Nothing comes at all. */
  readonly hang?: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * All the lies there are. `honest` is a decision that would be obeyed if it came properly; it carries stamps that are
 * not the policy's, so that whoever obeys it is found out.
 */
export function liesAbout(honest: Json): readonly Lie[] {
  const text = JSON.stringify(honest);
  const ok = (what: string, value: unknown): Lie => ({ what, status: 200, body: JSON.stringify(value) });
  const without = (name: string) =>
    ok(`without ${name}`, Object.fromEntries(Object.entries(honest).filter(([key]) => key !== name)));
  const withOther = (what: string, members: Json) => ok(what, { ...honest, ...members });
  const isPermit = 'url' in honest;
  const members = isPermit ? ['method', 'url', 'headers'] : ['response_code', 'headers'];
  return [
    ...members.map(without),
    ok('an empty object', {}),
    ok('a list', [honest]),
    ok('true', true),
    ok('a string', text),
    ok('an error document with 200', { id: '1', code: 'ERROR', message: 'try again' }),
    withOther('headers as an object', { headers: { 'x-permit': 'lie', 'x-stamp': 'lie' } }),
    withOther('a header with two pairs', { headers: [{ 'x-permit': 'lie', 'x-stamp': 'lie' }] }),
    withOther('a header value that is a number', { headers: [{ 'x-permit': 1 }] }),
    withOther('a header name with a line break', { headers: [{ 'x\r\ny': '1' }] }),
    withOther('a header value with a line break', { headers: [{ x: '1\r\nx-stamp: lie' }] }),
    withOther('a body that is an object', { body: { a: 1 } }),
    ...(isPermit
      ? [
          withOther('response: null', { response: null }),
          withOther('an empty response', { response: {} }),
          withOther('a response with an impossible status', { response: { response_code: 99, headers: [] } }),
          withOther('a URL of another kind', { url: 'ftp://a.example/' }),
          withOther('a URL that walks', { url: 'http://a.example:1/r/../admin' }),
          withOther('a method that nginx does not know', { method: 'FOO' }),
        ]
      : [
          withOther('status 99', { response_code: 99 }),
          withOther('status "OK"', { response_code: 'OK' }),
          withOther('status 700', { response_code: '700' }),
          withOther('status 101', { response_code: 101 }),
        ]),
    { what: 'half of the JSON', status: 200, body: text.slice(0, text.length / 2) },
    { what: 'JSON and more', status: 200, body: `${text}{}` },
    {
      what: 'JSON that is not UTF-8',
      status: 200,
      body: Buffer.concat([Buffer.from(text), Buffer.from([0xff])]),
    },
    { what: 'a page', status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Sign on</html>' },
    { what: 'nothing', status: 200, body: '' },
    ...[201, 204, 302, 400, 403, 404, 500, 503].map((status) => ({
      what: `a decision with status ${status}`,
      status,
      body: status === 204 ? '' : text,
    })),
    {
      what: 'a decision that is cut off',
      status: 200,
      headers: { 'content-length': String(text.length + 100) },
      body: text,
      cut: true,
    },
    { what: 'a connection that ends', status: 200, body: '', cut: true },
    { what: 'silence', status: 200, body: '', hang: true },
  ];
}
