import { expect, test } from 'vitest';
import { afterString } from './json-members.js';

test('a string ends where JSON.parse has it end, however escapes and quotes follow each other', () => {
  const pieces = ['\\"', '\\\\', 'abcdefg', 'h'];
  let texts = [''];
  for (let length = 0; length < 5; length++) {
    texts = texts.flatMap((text) => pieces.map((piece) => text + piece));
    for (const text of texts) {
      const string = `"${text}"`;
      expect(typeof JSON.parse(string)).toBe('string');
      expect(afterString(`${string},"b\\"":1`, 0)).toBe(string.length);
      expect(afterString(string.slice(0, -1), 0)).toBe(string.length - 1);
    }
  }
});
