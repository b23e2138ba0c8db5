import { describe, expect, it } from 'vitest';
import { BodyFault } from './body-fault.js';
import { decodeText, withUtf8Declaration } from './charset.js';
import type { CharsetDetection } from './media-type.js';
import { UNLIMITED_MEMORY } from './memory-reservation.js';

const DETECTIONS: readonly CharsetDetection[] = ['declared', 'xml', 'json', 'form'];
const utf16 = (text: string) => Buffer.from(text, 'utf16le');
const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();
const latin1 = (text: string) => Buffer.from(text, 'latin1');
/** The text, or the kind of fault. */
const read = async (bytes: Uint8Array, detection: CharsetDetection, ...labels: string[]) => {
  try {
    return (await decodeText(bytes, detection, labels, UNLIMITED_MEMORY)).text;
  } catch (thrown) {
    if (thrown instanceof BodyFault) return thrown.reason;
    throw thrown;
  }
};

describe.each(DETECTIONS)('text whose readers go by: %s', (detection) => {
  it('is UTF-8 when nothing else is said', async () => {
    expect(await decodeText(Buffer.from('{"a":"é"}'), detection, [], UNLIMITED_MEMORY)).toEqual({
      text: '{"a":"é"}',
      charset: 'utf-8',
    });
    expect(await read(latin1('{"a":"é"}'), detection)).toBe('wrong_charset_bytes');
    expect(await read(Buffer.from('c0af', 'hex'), detection)).toBe('wrong_charset_bytes');
    expect(await read(Buffer.from('eda080', 'hex'), detection)).toBe('wrong_charset_bytes');
  });

  it.each(['utf-8', 'utf8', 'unicode-1-1-utf-8'])('is UTF-8 when %s says so', async (label) => {
    expect(await read(Buffer.from('é'), detection, label)).toBe('é');
    expect(await read(latin1('é'), detection, label)).toBe('wrong_charset_bytes');
    expect(await read(utf16('\ufeff{}'), detection, label)).toBe('wrong_charset_bytes');
  });

  it('keeps the byte order mark', async () => {
    expect(await read(Buffer.from('\ufeff{}'), detection)).toBe('\ufeff{}');
  });

  it.each(['utf-7', 'utf-32', 'x-user-defined', 'replacement', 'nonsense', "'utf-8'", '"utf-8'])(
    'is not guessed in the charset %s',
    async (label) => {
      expect(await read(Buffer.from('{}'), detection, label)).toBe('unknown_charset');
      expect(await read(Buffer.from('{}'), detection, 'utf-8', label)).toBe('unknown_charset');
    },
  );

  it('is decoded from the charset that is declared', async () => {
    expect(await read(latin1('{"a":"é"}'), detection, 'iso-8859-1')).toBe('{"a":"é"}');
    expect(await read(Buffer.from('a4', 'hex'), detection, 'iso-8859-15')).toBe('€');
    expect(await read(Buffer.from('80819f', 'hex'), detection, 'windows-1252')).toBe('€\u0081Ÿ');
    expect(await read(Buffer.from('a4a2', 'hex'), detection, 'euc-jp')).toBe('あ');
    expect(await read(Buffer.from('abc'), detection, 'us-ascii')).toBe('abc');
  });

  it('is wrong with bytes that the charset does not have', async () => {
    expect(await read(latin1('é'), detection, 'us-ascii')).toBe('wrong_charset_bytes');
    expect(await read(Buffer.from('a4', 'hex'), detection, 'euc-jp')).toBe('wrong_charset_bytes');
    expect(await read(Buffer.from('ff', 'hex'), detection, 'gbk')).toBe('wrong_charset_bytes');
    expect(await read(Buffer.from('db', 'hex'), detection, 'windows-874')).toBe('wrong_charset_bytes');
    expect(await read(Buffer.from('8141', 'hex'), detection, 'euc-kr')).toBe('wrong_charset_bytes');
    expect(await read(Buffer.from('1a', 'hex'), detection, 'ibm866')).toBe('wrong_charset_bytes');
    expect(await read(Buffer.from('85', 'hex'), detection, 'iso-8859-2')).toBe('\u0085');
  });

  it('is ambiguous when two charsets are declared, or a byte order mark says another one', async () => {
    expect(await read(Buffer.from('{}'), detection, 'utf-8', 'iso-8859-1')).toBe('ambiguous_charset');
    expect(await read(Buffer.from('{}'), detection, 'utf-8', 'utf8')).toBe('{}');
    expect(await read(Buffer.from('\ufeff{}'), detection, 'iso-8859-1')).toBe('ambiguous_charset');
    expect(await read(utf16be('\ufeff{}'), detection, 'utf-16le')).toBe('ambiguous_charset');
  });

  it.each(['utf-16', 'utf-16le', 'utf-16be', 'unicode'])(
    'does not become Chinese by declaring ASCII as %s',
    async (label) => {
      expect(await read(Buffer.from('{"role":"admin"}'), detection, label)).toBe('ambiguous_charset');
      expect(await read(Buffer.from('{"role":"admin"}\0A'), detection, label)).toBe('ambiguous_charset');
    },
  );
});

describe.each(['declared', 'xml', 'json'] as const)('UTF-16 whose readers go by: %s', (detection) => {
  it('is read with a byte order mark, declared or not', async () => {
    expect(await read(utf16('\ufeff漢'), detection)).toBe('\ufeff漢');
    expect(await read(utf16be('\ufeff漢'), detection)).toBe('\ufeff漢');
    expect(await read(utf16('\ufeff漢'), detection, 'utf-16')).toBe('\ufeff漢');
    expect(await read(utf16be('\ufeff漢'), detection, 'utf-16')).toBe('\ufeff漢');
    expect(await read(utf16be('\ufeff漢'), detection, 'utf-16be')).toBe('\ufeff漢');
    expect(await decodeText(utf16be('\ufeffx'), detection, [], UNLIMITED_MEMORY)).toMatchObject({
      charset: 'utf-16be',
    });
  });

  it('is read without a mark when it is declared and begins with ASCII', async () => {
    expect(await read(utf16('{"a":"漢"}'), detection, 'utf-16le')).toBe('{"a":"漢"}');
    expect(await read(utf16('{"a":"漢"}'), detection, 'utf-16')).toBe('{"a":"漢"}');
    expect(await read(utf16be('{"a":"漢"}'), detection, 'utf-16be')).toBe('{"a":"漢"}');
    expect(await read(utf16('漢'), detection, 'utf-16le')).toBe('ambiguous_charset');
    // Java takes utf-16 for big endian, browsers for little endian.
    expect(await read(utf16be('{}'), detection, 'utf-16')).toBe('ambiguous_charset');
  });

  it('is wrong with half a character, and is not UTF-32', async () => {
    expect(await read(utf16('\ufeff{}').subarray(0, 5), detection)).toBe('wrong_charset_bytes');
    expect(await read(utf16('\ufeff\ud800x'), detection)).toBe('wrong_charset_bytes');
    expect(await read(Buffer.from('fffe00007b000000', 'hex'), detection)).toBe('ambiguous_charset');
  });
});

describe('text where readers differ', () => {
  it.each(['json', 'form', 'xml'] as const)('%s is not UTF-16 without a word', async (detection) => {
    expect(await read(utf16('{"a":1}'), detection)).toBe('ambiguous_charset');
    expect(await read(utf16be('{"a":1}'), detection)).toBe('ambiguous_charset');
    expect(await read(Buffer.from('{\0\0\0', 'latin1'), detection)).toBe('ambiguous_charset');
    expect(await read(utf16('{"a":1}'), detection, 'iso-8859-15')).toBe('ambiguous_charset');
  });

  it('may hold a NUL elsewhere', async () => {
    expect(await read(Buffer.from('a\0'), 'declared')).toBe('a\0');
    expect(await read(Buffer.from('ab\0'), 'form')).toBe('ab\0');
  });

  it.each(['json', 'form', 'xml'] as const)(
    '%s is the same for a reader who knows UTF-8 only',
    async (detection) => {
      expect(await read(Buffer.from('{"a":"é"}'), detection, 'iso-8859-1')).toBe('ambiguous_charset');
      expect(await read(Buffer.from('{"a":"é"}'), 'declared', 'iso-8859-1')).toBe('{"a":"Ã©"}');
      // The second byte is a backslash to everybody but Shift_JIS.
      const so = Buffer.from('22835c222c22726f6c65223a22', 'hex');
      expect(await read(so, detection, 'shift_jis')).toBe('ambiguous_charset');
      expect(await read(so, 'declared', 'shift_jis')).toBe('"ソ","role":"');
      const kanji = Buffer.from('{"a":"\x1b$B$"\x1b(B"}');
      expect(await read(kanji, detection, 'iso-2022-jp')).toBe('ambiguous_charset');
      expect(await read(kanji, 'declared', 'iso-2022-jp')).toBe('{"a":"あ"}');
    },
  );

  it('a form is never UTF-16', async () => {
    expect(await read(utf16('a=1'), 'form', 'utf-16le')).toBe('ambiguous_charset');
    expect(await read(utf16('\ufeffa=1'), 'form', 'utf-16')).toBe('ambiguous_charset');
    expect(await read(utf16('\ufeffa=1'), 'form')).toBe('wrong_charset_bytes');
  });
});

describe('XML', () => {
  const xml = (encoding: string, content: string) =>
    `<?xml version="1.0" encoding="${encoding}"?><a>${content}</a>`;

  it('is read as its declaration says', async () => {
    expect(await read(latin1(xml('ISO-8859-1', 'é')), 'xml')).toBe(xml('ISO-8859-1', 'é'));
    expect(await read(latin1("<?xml encoding = 'latin1'?>é"), 'xml')).toBe("<?xml encoding = 'latin1'?>é");
    expect(await read(Buffer.from(xml('iso-8859-1', 'é')), 'xml')).toBe(xml('iso-8859-1', 'Ã©'));
    expect(await read(Buffer.from('\ufeff<?xml version="1.0"?>é'), 'xml')).toBe(
      '\ufeff<?xml version="1.0"?>é',
    );
    expect(await read(Buffer.from(`<?xml version="1.0"${' '.repeat(999)} encoding="utf-7"?>`), 'xml')).toBe(
      'unknown_charset',
    );
    expect(await read(Buffer.from('<a>encoding="utf-7"?></a>'), 'xml')).toBe('<a>encoding="utf-7"?></a>');
  });

  it('is ambiguous when Content-Type and the declaration lead to different texts', async () => {
    expect(await read(Buffer.from(xml('iso-8859-1', 'é')), 'xml', 'utf-8')).toBe('ambiguous_charset');
    expect(await read(latin1(xml('utf-8', 'é')), 'xml', 'iso-8859-1')).toBe('ambiguous_charset');
    expect(await read(Buffer.from(xml('iso-8859-1', 'e')), 'xml', 'utf-8')).toBe(xml('iso-8859-1', 'e'));
    expect(await read(latin1(xml('iso-8859-1', 'é')), 'xml', 'latin1')).toBe(xml('iso-8859-1', 'é'));
  });

  it('may call UTF-8 utf-16, which whoever could read that knows to be wrong', async () => {
    expect(await read(Buffer.from(xml('utf-16', 'é')), 'xml')).toBe(xml('utf-16', 'é'));
    expect(await read(Buffer.from(xml('utf-16', 'é')), 'xml', 'utf-8')).toBe(xml('utf-16', 'é'));
  });

  it('gets UTF-8 into its declaration when it is written anew', async () => {
    expect(withUtf8Declaration(xml('ISO-8859-1', 'é'))).toBe(xml('UTF-8', 'é'));
    for (const same of [xml('utf-8', 'é'), '<a/>', '<?xml version="1.0"?><a/>', '{}']) {
      expect(withUtf8Declaration(same)).toBe(same);
    }
  });
});

describe('text that two readers would read differently', () => {
  it('is XML in EBCDIC, which parsers know by its first bytes, whatever charset is declared', async () => {
    // `<?xml version="1.0"?>` in IBM037; no part of it is text in any ASCII charset.
    const ebcdic = Buffer.from('4c6fa7949340a58599a28996957e7ff14bf07f6f6e', 'hex');
    for (const label of ['windows-1252', 'iso-8859-1'])
      expect(await read(ebcdic, 'xml', label)).toBe('ambiguous_charset');
  });

  it('is a form in ISO-2022-JP, whose escapes can shift the charset', async () => {
    const form = Buffer.from('role=ad%1B%28Bmin');
    expect(await read(form, 'form', 'iso-2022-jp')).toBe('ambiguous_charset');
    expect(await read(form, 'declared', 'iso-2022-jp')).toBe(form.toString());
  });
});
