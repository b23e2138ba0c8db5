import { describe, expect, it } from 'vitest';
import { type HeaderField, HeaderList } from '../http/headers.js';
import { approvalPage } from './approval.js';

const URL = 'https://approve.example/a?id=4711#x';
const JSON_TYPE: HeaderField = ['content-type', 'application/json'];
const denial = (body: string, ...headers: HeaderField[]) =>
  approvalPage({ status: 403, headers: HeaderList.from(headers), body: Buffer.from(body) });
const member = (value: unknown) =>
  denial(JSON.stringify({ message: 'Ask.', approval_url: value }), JSON_TYPE);

describe('the page for an approval', () => {
  it('stands in the body or in a header, or in both alike', () => {
    expect(member(URL)).toEqual({ url: URL });
    expect(denial('', ['approval-url', URL])).toEqual({ url: URL });
    expect(denial('<p>', ['Approval-URL', URL], ['content-type', 'text/html'])).toEqual({ url: URL });
    expect(denial(`{"approval_url":"${URL}"}`, ['approval-url', URL])).toEqual({ url: URL });
    expect(member(`https://a.example/${'x'.repeat(2000 - 18)}`)?.url).toHaveLength(2000);
  });

  it('is none where the denial names none', () => {
    for (const body of [
      '',
      '{"message":"no"}',
      'approval_url is not here',
      '["approval_url"]',
      '{"a":{"approval_url":"x"}}',
    ])
      expect(denial(body, JSON_TYPE)).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['not https', 'http://approve.example/'],
    ['not https', 'javascript:alert(1)'],
    ['not https', 'data:text/html,x'],
    ['not https', '//approve.example/'],
    ['not https', '/approve'],
    ['not https', 'https:approve.example'],
    ['not https', 'https:///approve.example'],
    ['not https', 'https://?x'],
    ['not https', ''],
    ['with user info', 'https://bank.example@evil.example/'],
    ['with user info', 'https://@evil.example/'],
    ['with user info', 'https://a:b@evil.example'],
    ['not plain printable ASCII', 'https://approve.example/ x'],
    ['not plain printable ASCII', ' https://approve.example/'],
    ['not plain printable ASCII', 'https://approve.example/\r\nSet-Cookie: a=1'],
    ['not plain printable ASCII', 'java\tscript:alert(1)'],
    ['not plain printable ASCII', 'https://bank.example\\@evil.example/'],
    ['not plain printable ASCII', 'https://bänk.example/'],
    ['not plain printable ASCII', 'https://a.example/\u202etxt'],
    ['not plain printable ASCII', 'https://a.example/\u0000'],
    ['not a URL', 'https://a.example:99999/'],
    ['not a URL', 'https://[::1/'],
    ['not a URL', 'https://a.exa%00mple/'],
    ['longer than 2000 characters', `https://a.example/${'x'.repeat(2001 - 18)}`],
    ['not a string', 4711],
    ['not a string', null],
    ['not a string', ['https://a.example/']],
    ['not a string', { url: 'https://a.example/' }],
  ])('is ignored when it is %s: %j', (why, value) => {
    expect(member(value)).toEqual({ ignored: why });
  });

  it('is ignored when there are two of them', () => {
    expect(denial(`{"approval_url":"${URL}"}`, ['approval-url', `${URL}y`])).toEqual({
      ignored: 'two different URLs',
    });
    expect(denial('', ['approval-url', URL], ['approval-url', `${URL}y`])).toEqual({
      ignored: 'two different URLs',
    });
    expect(denial(`{"approval_url":1}`, ['approval-url', URL])).toEqual({ ignored: 'two different URLs' });
    const twice = `{"approval_url":"${URL}","approval\\u005furl":"https://b.example/"}`;
    expect(denial(twice, JSON_TYPE)).toEqual({ ignored: 'a member twice' });
  });
});
