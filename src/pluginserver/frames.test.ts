import { expect, onTestFinished, test, vi } from 'vitest';
import { FrameReader } from './frames.js';

const LIMIT = 1000;

interface Read {
  readonly frames: string[];
  readonly oversize: number[];
}

function read(chunks: Iterable<Buffer>, passOversize = false): Read & { readonly reader: FrameReader } {
  const frames: string[] = [];
  const oversize: number[] = [];
  const reader = new FrameReader(LIMIT, {
    onFrame: (frame) => frames.push(frame.rest().toString('latin1')),
    onOversize: (announced) => {
      oversize.push(announced);
      return passOversize;
    },
  });
  for (const chunk of chunks) reader.push(chunk);
  return { frames, oversize, reader };
}

function stream(...payloads: string[]): Buffer {
  return Buffer.concat(
    payloads.flatMap((payload) => {
      const header = Buffer.alloc(4);
      header.writeUInt32LE(payload.length);
      return [header, Buffer.from(payload, 'latin1')];
    }),
  );
}

const PAYLOADS = ['kong.request.get_method', '', 'x'.repeat(300), '\x00\x00\x00\x01', ''];

test('joined frames come one by one', () => {
  expect(read([stream(...PAYLOADS)]).frames).toEqual(PAYLOADS);
});

test('frames cut at every byte come whole', () => {
  const bytes = stream(...PAYLOADS);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const { frames, reader } = read([bytes.subarray(0, cut), bytes.subarray(cut)]);
    expect(frames).toEqual(PAYLOADS);
    expect(reader.atBoundary).toBe(true);
  }
});

test('frames that arrive byte by byte come whole', () => {
  const single = [...stream(...PAYLOADS)].map((byte) => Buffer.from([byte]));
  expect(read(single).frames).toEqual(PAYLOADS);
});

test('a stream that ends within a header or a payload is not at a boundary', () => {
  const bytes = stream('abc');
  for (const cut of [1, 3, 4, 6]) expect(read([bytes.subarray(0, cut)]).reader.atBoundary).toBe(false);
});

test('a frame of exactly the limit is taken, one byte more is announced as oversize and stops the reader', () => {
  expect(read([stream('y'.repeat(LIMIT))]).frames).toHaveLength(1);
  const { frames, oversize } = read([stream('a', 'y'.repeat(LIMIT + 1), 'b')]);
  expect(frames).toEqual(['a']);
  expect(oversize).toEqual([LIMIT + 1]);
});

test('4 GB are announced without anything being allocated', () => {
  const header = Buffer.from([0xff, 0xff, 0xff, 0xff]);
  const made = (['alloc', 'allocUnsafe', 'allocUnsafeSlow', 'concat'] as const).map((name) =>
    vi.spyOn(Buffer, name),
  );
  onTestFinished(() => void vi.restoreAllMocks());
  expect(read([header]).oversize).toEqual([0xffffffff]);
  const sizes = made.flatMap((calls) => calls.mock.calls.map(([size]) => size));
  expect(sizes).toEqual([]);
});

test('an oversize frame can pass by unread, however it is cut', () => {
  const bytes = stream('a', 'y'.repeat(LIMIT + 7), 'b');
  for (const size of [1, 5, 333, 5000]) {
    const chunks = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    expect(read(chunks, true).frames).toEqual(['a', 'b']);
  }
});

test('after stop() nothing is handed out, not even from the chunk in work', () => {
  const frames: string[] = [];
  const reader = new FrameReader(LIMIT, {
    onFrame: (frame) => {
      frames.push(frame.rest().toString());
      reader.stop();
    },
    onOversize: () => false,
  });
  reader.push(stream('one', 'two'));
  expect(frames).toEqual(['one']);
});
