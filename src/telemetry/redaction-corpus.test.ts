// Probes of what may hold a credential: each of them is blanked, and what only looks like one is not.
import { describe, expect, it } from 'vitest';
import { redactBody, redactHeader, redactMessage, redactText, redactUrl } from './redaction.js';
import { blankBody, blankText, blankUrl } from './secret-text.js';

/** Must not be seen. It looks like nothing. */
const S = 'Zk7qWm2x';
const JWT = `eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2UifQ.${S}`;

const body = (text: string) => redactBody(text);

const HELD: readonly (readonly [what: string, shown: string])[] = [
  ...[
    'X-Vault-Token',
    'X-Auth-Token',
    'X-Session-Id',
    'X-CSRF-Token',
    'X-XSRF-TOKEN',
    'X-Api-Key',
    'X-Goog-Api-Key',
    'Ocp-Apim-Subscription-Key',
    'X-Functions-Key',
    'X-Hub-Signature-256',
    'Signature',
    'X-Amz-Security-Token',
    'Private-Token',
    'X-Gitlab-Token',
    'X-Shopify-Access-Token',
    'X-Password',
    'X-Client-Secret',
    'X-Auth',
    'X-Auth-Key',
    'X-Forwarded-Authorization',
    'X-Credentials',
    'X-User-Jwt',
    'Set-Cookie2',
    'X-Otp',
    'X-Twilio-Signature',
    'AuthToken',
    'X-SharedSecret',
    'Cookie',
    'Proxy-Authorization',
    'DPoP',
    'X-Forwarded-Client-Cert',
  ].map((name) => [`header ${name}`, redactHeader(name, S)] as const),
  ['user info in a header', redactHeader('Referer', `https://joe:${S}@h/p`)],
  ['a session in the path of a header', redactHeader('Location', `/cart;jsessionid=${S}?a=1`)],
  ['Bearer under another name', redactHeader('X-Original', `Bearer ${S}1234567`)],
  ['a JWT in the middle of a header', redactHeader('X-User', `joe;t=${JWT}`)],
  ['a quoted parameter of a header', redactHeader('X-Login', `user="joe", password="${S}"`)],

  ['JSON', body(`{"password":"${S}"}`)],
  ['JSON, escaped name', body(`{"p\\u0061ssword":"${S}"}`)],
  ['JSON, camel case', body(`{"newPassword":"${S}"}`)],
  ['JSON, snake case', body(`{"new_password":"${S}"}`)],
  ['JSON, deep', body(`{"a":[{"b":{"clientSecret" : "${S}"}}]}`)],
  ['JSON, secret object', body(`{"credentials":{"user":"${S}"}}`)],
  ['JSON, list', body(`{"tokens":["${S}"]}`)],
  ['JSON, name and value', body(`[{"name":"password","value":"${S}"}]`)],
  ['JSON, value and name', body(`[{"value":"${S}","name":"Authorization"}]`)],
  ['JSON in JSON', body(JSON.stringify({ data: JSON.stringify({ token: S }) }))],
  ['a form in JSON', body(JSON.stringify({ data: `a=1&access_token=${S}` }))],
  ['a URL in JSON, escaped', body(`{"next":"https:\\/\\/h\\/?a=1\\u0026access_token=${S}"}`)],
  ['user info in JSON', body(`{"db":"postgres://u:${S}@h/d"}`)],
  ['JSON with a byte order mark', body(`\ufeff{"passwd":"${S}"}`)],
  ['JSON, cut off', body(`{"secret":"${S}`)],
  ['JSON, damaged', body(`{"a":1,,"api_key":"${S}"}`)],
  ['JSON, damaged, escaped name', body(`{"a":1,,"p\\u0061ss":"${S}"}`)],
  ['several JSON values', body(`{"a":1}\n{"sessionToken":"${S}"}`)],
  [
    'JSON, private key',
    body(`{"pem":"-----BEGIN RSA PRIVATE KEY-----\\n${S}\\n-----END RSA PRIVATE KEY-----"}`),
  ],
  ['GraphQL', body(JSON.stringify({ query: `mutation { login(user: "joe", password: "${S}") { id } }` }))],
  ['an event stream', body(`event: message\ndata: {"access_token":"${S}"}\n\n`)],
  ['single quotes', body(`{'password': '${S}'}`)],

  ['a form', body(`user=joe&password=${S}`)],
  ['a form, brackets', body(`user[name]=joe&user[password]=${S}`)],
  ['a form, encoded brackets', body(`user%5Bpassword%5D=${S}`)],
  ['a form, OAuth', body(`oauth_token=${S}&a=1`)],
  ['a form, encoded name', body(`p%61ssword=${S}`)],
  ['a form, encoded twice', body(`p%2561ssword=${S}`)],
  ['a form, quotes in the value', body(`a=1&client_secret=x"y;${S}`)],
  ['a form, JSON in a value', body(`data=${encodeURIComponent(`{"token":"${S}"}`)}`)],
  ['a form, SAML', body(`RelayState=a&SAMLResponse=${S}`)],

  ['a query', redactUrl(`https://h/p?a=1&access_token=${S}`)],
  ['a query, separated by semicolons', redactUrl(`https://h/p?a=1;access_token=${S}`)],
  ['a fragment', redactUrl(`https://h/p#id_token=${S}`)],
  ['a path parameter', redactUrl(`https://h/p;jsessionid=${S}/q?a=1`)],
  ['user info', redactUrl(`https://joe:${S}@h/`)],
  ['a signed URL', redactUrl(`https://h/p?X-Amz-Signature=${S}&sig=${S}`)],
  ['a URL in a query', redactUrl(`https://h/p?next=${encodeURIComponent(`https://h/?token=${S}`)}`)],
  ['a query with blanks', redactUrl(`https://h/p?token=a ${S}&b=1`)],
  ['OAuth code and state', redactUrl(`https://h/cb?code=${S}&state=${S}`)],

  ['an MCP resource, query', redactText(`https://h/doc?access_token=${S}`)],
  ['an MCP resource, user info', redactText(`postgres://joe:${S}@h/table`)],
  ['an MCP resource, path parameter', redactText(`file:///a;token=${S}/b`)],
  ['the path of a decision line', redactText(`/cart;JSESSIONID=${S}`, 300)],
  ['an MCP message', body(JSON.stringify({ method: 'resources/read', params: { uri: `x://a?key=${S}` } }))],
  ['an MCP tool', body(JSON.stringify({ params: { name: 'login', arguments: { password: S } } }))],

  ['XML', body(`<login><Password>${S}</Password></login>`)],
  ['XML, namespace and attribute', body(`<wsse:Password Type="#PasswordText">${S}</wsse:Password>`)],
  ['XML, attribute', body(`<login user="joe" password="${S}"/>`)],
  ['XML, single quotes', body(`<login password='${S}'/>`)],
  ['XML, CDATA', body(`<token><![CDATA[${S}]]></token>`)],
  ['XML, nested', body(`<Credentials><a><b>${S}</b></a></Credentials>`)],
  ['XML, key and text', body(`<entry key="api.secret">${S}</entry>`)],
  ['XML, not closed', body(`<a><session_id>${S}`)],
  ['HTML', body(`<input type="hidden" name="csrf_token" value="${S}">`)],

  ['multipart', body(`--b1\r\nContent-Disposition: form-data; name="password"\r\n\r\n${S}\r\n--b1--\r\n`)],
  [
    'multipart, unquoted name, second part',
    body(
      `--b1\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b1\r\nContent-Disposition: form-data; name=otp\r\n\r\n${S}\r\n--b1--`,
    ),
  ],
  [
    'multipart, JSON part',
    body(
      `--b1\r\nContent-Disposition: form-data; name="j"\r\nContent-Type: application/json\r\n\r\n{"pwd":"${S}"}\r\n--b1--`,
    ),
  ],
  [
    'multipart, quoted in another text',
    body(`it was:\r\n"--b1\r\nContent-Disposition: form-data; name="otp"\r\n\r\n${S}\r\n--b1--"`),
  ],
  [
    'multipart, quoted, with several names',
    body(
      `it was:\r\n"--b1\r\nContent-Disposition: form-data; name="a"; name*=UTF-8''otp\r\n\r\n${S}\r\n--b1--"`,
    ),
  ],
  ['YAML', body(`user: joe\npassword: ${S}\n`)],
  ['settings', body(`user = joe\napi_key = ${S}\n`)],
  ['an HTTP message', body(`GET / HTTP/1.1\r\nCookie: a=b; sid=${S}\r\n\r\n`)],
  ['a JWT in a text', body(`the token ${JWT} is gone`)],
  ['Basic in a text', body(`curl -H 'X: Basic ${S}12345=='`)],
  ['the header Authentication', redactHeader('X-Authentication', S)],
  ['JSON, several codes', body(`{"recoveryCodes":["${S}"],"oneTimeCode":"${S}"}`)],
  ['JSON, other languages', body(`{"senha":"${S}","пароль":"${S}","密码":"${S}"}`)],
  ['JSON, phrases and links', body(`{"seedPhrase":"${S}","magic_link":"${S}","connectionString":"${S}"}`)],
  ['JSON, Name and Value', body(`{"Name":"password","Value":"${S}"}`)],
  ['JSON, name and values', body(`{"name":"password","values":["${S}"]}`)],
  ['JSON, name and an object', body(`{"value":{"a":"${S}"},"name":"password"}`)],
  ['JSON, pairs', body(`{"headers":[["Authorization","${S}"]]}`)],
  ['JSON, patch', body(`[{"op":"replace","path":"/password","value":"${S}"}]`)],
  ['GraphQL, a block string', body(`mutation{login(password: """${S}"""){id}}`)],
  ['YAML of one line', body(`password: ${S}`)],
  ['XML, another end first', body(`<password>a</passwordX>${S}</password>`)],
  ['XML, behind many blanks', body(`<password>${' '.repeat(200)}${S}</password>`)],
  [
    'multipart, a name in a file name',
    body(`--b\r\nContent-Disposition: form-data; filename="name=x"; name="password"\r\n\r\n${S}\r\n--b--`),
  ],
  [
    'multipart in a text, a name with apostrophes',
    body(`it was:\n\nContent-Disposition: form-data; name="secret''"\n\n${S}`),
  ],
  [
    'multipart, an extended name',
    body(`--b\r\nContent-Disposition: form-data; name*=UTF-8''p%61ssword\r\n\r\n${S}\r\n--b--`),
  ],
  ['a query inside a value', redactUrl(`https://h/p?a=1%26token=${S}`)],
  ['a URL in a query, encoded twice', redactUrl(`https://h/p?x=https%253A%252F%252Fh%253Ftoken%253D${S}`)],
  ['a query that is partly no encoding', redactUrl(`https://h/p?a=%zz%26token%3D${S}&%zzp%61ssword=${S}`)],
  ['JSON in a query, not encoded', redactUrl(`https://h/p?a={"token":"${S}"}`)],
  ['a header with several values', JSON.stringify(redactMessage({ headers: [{ authorization: [S] }] }))],
  ['a header that is an object', JSON.stringify(redactMessage({ headers: [{ 'x-token': { a: S } }] }))],
  ['a list in an answer', JSON.stringify(redactMessage({ secrets: [S], a: { token: { value: S } } }))],
  ['a state', JSON.stringify(redactMessage({ state: { a: S } }))],
];

describe('a credential', () => {
  it.each(HELD)('is blanked: %s', (_, shown) => {
    expect(shown).not.toContain(S);
    expect(shown).toContain('[redacted]');
  });

  it('is looked for in many places', () => {
    expect(HELD.length).toBeGreaterThan(90);
  });
});

describe('what is none', () => {
  it.each([
    ['Content-Type', 'application/json'],
    ['Sec-WebSocket-Key', 'x3JJHMbDL1EzLkh9GBhXDw=='],
    ['Idempotency-Key', 'abc-1'],
    ['X-Forwarded-For', '192.0.2.1'],
    ['User-Agent', 'Mozilla/5.0 (X11; Linux)'],
    ['Accept', 'text/html;q=0.9'],
    ['WWW-Authenticate', 'Bearer realm="api"'],
    ['ETag', 'W/"abc"'],
    ['Host', 'pass.example'],
    ['X-Passenger', '7'],
    ['Cache-Control', 'no-store, max-age=0'],
    ['Traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7-01'],
    ['X-Shipping-Method', 'air'],
    ['Token-Type', 'opaque'],
  ])('header %s stays', (name, value) => expect(redactHeader(name, value)).toBe(value));

  it.each([
    '{"country_code":"DE","postcode":"10115","author":"joe","keyboard":"de","footprint":1}',
    '{"code":"not_found","state":"open","key":"colour","status_code":404}',
    '{"max_tokens":100,"usage":{"total_tokens":7},"token_type":"Bearer","expires_in":300}',
    '{"has_password":true,"password":null,"token":"","primary_key":"id","auth_time":17}',
    '{\n  "a" : [ 1, 2.50, true ],\r\n\t"b": "x y" }',
    'a=1&b=2&country=de',
    '{"required":["token","name"],"enum":[["a","b"]],"name":"token_type","value":"Bearer"}',
    '<order id="7"><item sku="a-1">5</item></order>',
    'passengers: 3, compass: north; keys under the mat',
    '--b1\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--b1--\r\n',
  ])('%s stays', (text) => expect(redactBody(text)).toBe(text));
});

describe('an encoded text inside a value', () => {
  it.each([
    '/p/a=b%3dc',
    '/p/a=%3d',
    '/p;v=1%3d2',
    'https://h/p?x=abc%3D%3D&y=1',
    'a=b%3Dc%26d%3De&f=%25%3d',
    `${'/b='.repeat(80)}%3d`,
  ])('comes to an end, and stays when it holds no secret: %s', (text) => {
    expect(blankUrl(text)).toBe(text);
    expect(blankText(text)).toBe(text);
    expect(redactText(text, 300)).toBe(text);
  });

  it('does not hide the pair behind it', () => {
    expect(blankUrl(`https://h/p?x=a%3Db&token=${S}`)).toBe('https://h/p?x=a%3Db&token=[redacted]');
    expect(blankUrl(`https://h/p?x=a%3Db/token=${S}`)).not.toContain(S);
  });
});

/** CPU time of this process: others on the machine do not count. */
function cost(work: () => void): number {
  const runs = Array.from({ length: 3 }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return user + system;
  });
  return Math.min(...runs);
}

describe('the time that it takes', () => {
  it.each([
    '-eyJ',
    'eyJ.',
    'eyJabcdefg.',
    '.eyJabcdefghi',
    '"otp":["',
    '"otp":[',
    '"otp":"\\',
    '"a":["b",',
    '{"a":',
    '[',
    '{"password":[',
    '<a',
    '<a b="',
    '<password>',
    '<input name="password">',
    "<a name='token'",
    '</password',
    '=',
    'a=',
    '&a',
    'a=b&',
    '/b=',
    '/b=%3d',
    'a=%3d&',
    ';token',
    'token=',
    '?token=a%3D',
    '%25',
    '//',
    '//a@',
    'a://b@c ',
    '\n--b1',
    'content-disposition: x; name=otp\n\n',
    '--b1\r\n',
    'bearer ',
    'bearer a',
    'Basic\t',
    '-----BEGIN PRIVATE KEY-----',
    '-----END',
    'a:',
    'password: ',
    'a: b\n',
    ' ',
    '\n',
    '\t- a',
    '"a" ',
    "'a':",
    '\\"password\\":',
    '\\u0061',
    '[redacted',
    '[redacted+',
    '… 1 more',
    'data: {"a":1}\n',
    'password="',
    '<a password="',
    '"password": 1',
    'aA',
    '\ud800',
  ])('grows with the text, not with its square: %j', (piece) => {
    for (const blank of [blankBody, blankText, blankUrl, (text: string) => redactBody(text, text.length)]) {
      const text = (bytes: number) => piece.repeat(Math.ceil(bytes / piece.length));
      const [small, large] = [text(12_000), text(96_000)];
      const [less, more] = [cost(() => blank(small)), cost(() => blank(large))];
      // Eight times the text: 8 times the work when it is linear, 64 times when it is quadratic. Two milliseconds of grace.
      expect(more, `${less} µs, ${more} µs`).toBeLessThan(Math.max(less, 500) * 24 + 2000);
    }
  });

  it('is short for the text that took a second and a half', () => {
    const text = '-eyJ'.repeat(8000);
    expect(cost(() => redactBody(text, 16_000))).toBeLessThan(50_000);
  });
});
