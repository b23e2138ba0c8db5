import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frame } from '../../dev/kong-connection/frames.js';
import {
  eventCall,
  instanceCall,
  startCall,
  structMessage,
  textMessage,
} from '../../dev/kong-connection/messages.js';
import { decodeLossless, encodeLossless } from '../../src/http/text.js';
import { FrameReader } from '../../src/pluginserver/frames.js';
import { pdkMethod, readRpcCall } from '../../src/pluginserver/messages.js';
import { readStruct, textFromBytes, WireError, WireReader } from '../../src/pluginserver/wire-reader.js';
import { WireWriter, writeStruct } from '../../src/pluginserver/wire-writer.js';
import { anyBytes, damaged, damages, fuzzed, oddText, split } from './fuzz.js';

const MAX_FRAME = 4096;

type Seen = { frames: string[]; oversize: number[]; atBoundary: boolean };

function read(chunks: readonly Buffer[], passOversize: boolean): Seen {
  const frames: string[] = [];
  const oversize: number[] = [];
  const reader = new FrameReader(MAX_FRAME, {
    onFrame: (frame) => frames.push(frame.rest().toString('hex')),
    onOversize: (announced) => {
      oversize.push(announced);
      return passOversize;
    },
  });
  for (const chunk of chunks) reader.push(chunk);
  return { frames, oversize, atBoundary: reader.atBoundary };
}

/** The same, on the whole stream at once and with nothing clever. */
function expected(stream: Buffer, passOversize: boolean): Omit<Seen, 'atBoundary'> {
  const frames: string[] = [];
  const oversize: number[] = [];
  let at = 0;
  while (stream.length - at >= 4) {
    const length = stream.readUInt32LE(at);
    at += 4;
    if (length > MAX_FRAME) {
      oversize.push(length);
      if (!passOversize) break;
    } else if (stream.length - at >= length) frames.push(stream.subarray(at, at + length).toString('hex'));
    at += length;
  }
  return { frames, oversize };
}

const call = fc.oneof(
  fc.tuple(fc.nat(), fc.nat(), oddText).map(([sequence, id, phase]) => eventCall(sequence, id, phase)),
  fc.tuple(fc.nat(), oddText, oddText).map(([sequence, name, config]) => startCall(sequence, name, config)),
  fc
    .tuple(fc.nat(), fc.integer({ min: 30, max: 38 }), fc.integer())
    .map(([sequence, command, id]) => instanceCall(sequence, command, id)),
);
const stream = fc.oneof(
  fc.array(fc.oneof(anyBytes, call), { maxLength: 6 }).map((payloads) => Buffer.concat(payloads.map(frame))),
  fc
    .tuple(fc.array(anyBytes, { maxLength: 6 }), damages)
    .map(([payloads, plan]) => damaged(Buffer.concat(payloads.map(frame)), plan)),
);

describe('frames from Kong', () => {
  it('are the same however the stream is cut into chunks', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 40 }), fc.boolean(), (bytes, places, pass) => {
        const { atBoundary: _, ...seen } = read(split(bytes, places), pass);
        expect(seen).toEqual(expected(bytes, pass));
      }),
      fuzzed(1500),
    );
  });

  it('leave the reader between two frames exactly when the stream ended with one', () => {
    fc.assert(
      fc.property(fc.array(anyBytes, { maxLength: 4 }), fc.nat(), (payloads, cut) => {
        const whole = Buffer.concat(payloads.map(frame));
        const at = cut % (whole.length + 1);
        const ends = payloads.map((_, i) => Buffer.concat(payloads.slice(0, i + 1).map(frame)).length);
        expect(read([whole.subarray(0, at)], false).atBoundary).toBe([0, ...ends].includes(at));
      }),
      fuzzed(500),
    );
  });
});

describe('messages from Kong', () => {
  const method = fc
    .constantFrom(
      'kong.request.get_headers',
      'kong.request.get_raw_body',
      'kong.request.get_method',
      'kong.request.get_http_version',
      'kong.client.get_port',
      'kong.ctx.shared.get',
      'kong.service.response.get_raw_body',
      'kong.response.get_headers',
    )
    .map(pdkMethod);
  const reply = fc.oneof(
    anyBytes.map((bytes) => Buffer.from(bytes)),
    fc
      .tuple(fc.dictionary(oddText, fc.oneof(oddText, fc.array(oddText))), damages)
      .map(([entries, plan]) => damaged(structMessage(entries), plan)),
    fc.tuple(oddText, damages).map(([value, plan]) => damaged(textMessage(value), plan)),
  );

  it('are a reply or a WireError, whatever the bytes of a reply are', () => {
    fc.assert(
      fc.property(method, reply, ({ readReply }, bytes) => {
        try {
          readReply?.(new WireReader(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      fuzzed(4000),
    );
  });

  it('are a call or a WireError, whatever the bytes of a call are', () => {
    fc.assert(
      fc.property(call, damages, (message, plan) => {
        try {
          const { sequence, instanceId } = readRpcCall(new WireReader(damaged(message, plan)));
          expect(Number.isSafeInteger(sequence)).toBe(true);
          expect(Number.isSafeInteger(instanceId)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      fuzzed(3000),
    );
  });
});

describe('values on their way to Kong and back', () => {
  const leaf = fc.oneof(oddText.map(wellFormedOrBytes), fc.double(), fc.boolean(), fc.constant(null));
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(oddText.map(wellFormedOrBytes), tie('any'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).any;

  it('come back as they were', () => {
    fc.assert(
      fc.property(
        fc.dictionary(oddText.map(wellFormedOrBytes), value, { maxKeys: 5, noNullPrototype: true }),
        (struct) => {
          const writer = new WireWriter();
          writeStruct(writer, struct);
          const back = readStruct(new WireReader(Buffer.concat(writer.finish())));
          // Not toEqual: it would not see an own __proto__.
          expect(entriesOf(back)).toEqual(entriesOf(struct));
        },
      ),
      fuzzed(1500),
    );
  });

  it('are the very bytes again when they are text, in the plugin server and in the plugin', () => {
    fc.assert(
      fc.property(anyBytes, (raw) => {
        const bytes = Buffer.from(raw);
        const text = textFromBytes(bytes);
        expect(text).toBe(decodeLossless(bytes));
        const writer = new WireWriter();
        writer.text(text);
        expect(writer.length).toBe(bytes.length);
        expect(Buffer.concat(writer.finish()).equals(bytes)).toBe(true);
        expect(Buffer.from(encodeLossless(text)).equals(bytes)).toBe(true);
      }),
      fuzzed(3000),
    );
  });
});

/** A lone surrogate that stands for no byte has no way to Kong; everything else has. */
function wellFormedOrBytes(text: string): string {
  return decodeLossless(encodeLossless(text));
}

function entriesOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(entriesOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value).map(([key, child]) => [key, entriesOf(child)]);
}
