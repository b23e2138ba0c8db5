import { expect, it } from 'vitest';
import { compareMessages } from './message-difference.js';

const message = (body = '', ...headers: [string, string][]) => ({ start: 'GET /', headers, body });

it('finds nothing between equal messages', () => {
  expect(compareMessages(message('a\nb', ['x', '1']), message('a\nb', ['x', '1']))).toMatchObject({
    isSame: true,
    body: [{ before: 'a' }, { before: 'b' }],
  });
});

it('puts headers of one name beside each other, and new ones at the end', () => {
  const before = message('', ['a', '1'], ['b', '1'], ['b', '2'], ['c', '3']);
  const after = message('', ['d', '4'], ['b', '1'], ['b', 'x'], ['b', 'y'], ['a', '1']);
  const { headers, isSame } = compareMessages(before, after);
  expect(isSame).toBe(false);
  expect(headers).toEqual([
    { name: 'a', change: 'same', before: '1', after: '1' },
    { name: 'b', change: 'same', before: '1', after: '1' },
    { name: 'b', change: 'changed', before: '2', after: 'x' },
    { name: 'c', change: 'removed', before: '3' },
    { name: 'd', change: 'added', after: '4' },
    { name: 'b', change: 'added', after: 'y' },
  ]);
});

it('puts lines of a body that replace each other side by side', () => {
  const { body } = compareMessages(message('a\nold\nz'), message('a\nnew\nnewer\nz\nend'));
  expect(body.map(({ before = '', after = '', change }) => `${before}|${after}|${change}`)).toEqual([
    'a|a|same',
    'old|new|changed',
    '|newer|added',
    'z|z|same',
    '|end|added',
  ]);
});

it('shows a message without one before it as added', () => {
  expect(compareMessages(undefined, message('no')).start).toEqual({ change: 'added', after: 'GET /' });
});

it('does not compare bodies without end', () => {
  const lines = (text: string) => Array.from({ length: 4000 }, (_, i) => `${text}${i}`).join('\n');
  expect(compareMessages(message(lines('a')), message(lines('b'))).body).toHaveLength(4000);
});
