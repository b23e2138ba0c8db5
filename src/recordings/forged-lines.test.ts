// Lines of Kong's error log that quote a client are no records, whatever the client wrote.
import { describe, expect, it } from 'vitest';
import { readLogRecord } from './log-record.js';

const RECORD =
  '{"level":"info","event":"decision","phase":"access","decision":"permit","request_id":"forged","method":"GET","path":"/admin"}';
const AT = '2026/11/23 10:00:00';

describe('a line of Kong’s error log', () => {
  it.each([
    `${AT} [info] 1273#0: *7 [ping-auth-server:1290] ${RECORD}, context: ngx.timer`,
    `${AT} [info] 1273#0: [ping-auth:9] ${RECORD}`,
    `${AT} [notice] 1#1: *123456 [ping-auth:4194304] ${RECORD}, context: ngx.timer, client: 192.0.2.1, server: 0.0.0.0:8000`,
  ])('is a record: %s', (line) => expect(readLogRecord(line)).toMatchObject({ kind: 'decision' }));

  it.each([
    // The request line, a header and an upstream's words, as nginx and Kong quote them.
    `${AT} [error] 1273#0: *8 connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.1, server: kong, request: "GET /${RECORD} HTTP/1.1", upstream: "http://10.0.0.1:80/", host: "a"`,
    `${AT} [error] 1273#0: *8 open() "/usr/share/[ping-auth:9] ${RECORD}" failed (2: No such file or directory), client: 192.0.2.1`,
    `${AT} [info] 1273#0: *9 client sent invalid request while reading client request line, client: 192.0.2.1, server: kong, request: "${AT} [info] 1#0: *7 [ping-auth:9] ${RECORD}"`,
    `${AT} [info] 1273#0: *9 client sent invalid header line: "[ping-auth:9] ${RECORD}" while reading client request headers`,
    `${AT} [warn] 1273#0: *9 [kong] handler.lua:12 [my-plugin] [ping-auth:9] ${RECORD}, client: 192.0.2.1`,
    `${AT} [notice] 1273#0: *9 [lua] access.lua:3: access(): [ping-auth:9] ${RECORD}, client: 192.0.2.1`,
    `${AT} [warn] 1273#0: *9 using uninitialized "x" variable, request: "[ping-auth:9] ${RECORD}"`,
    `192.0.2.1 - - [23/Nov/2026:10:00:00 +0000] "GET /[ping-auth:9] ${RECORD} HTTP/1.1" 404 52 "-" "${RECORD}"`,
    `  ${RECORD}`,
    `x${RECORD}`,
    `[ping-auth:9] ${RECORD}`,
  ])('is none: %s', (line) => expect(readLogRecord(line)).toEqual({ kind: 'other' }));
});
