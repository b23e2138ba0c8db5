import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileProblem } from '../../recordings/file-problem.js';
import { type DescribedRequest, type DescribedResponse, shownUrl } from '../policy/ask-policy.js';
import {
  CASE,
  CASE_FILE,
  type CaseFile,
  type CaseInFile,
  type RequestExpectation,
  type RequestInFile,
  type ResponseExpectation,
  type ResponseInFile,
} from './case-schema.js';
import { hideTaken, replaceVariables, type Scope } from './variables.js';
import { type Path, type Place, type Problem, problemsOf, YamlSource } from './yaml-source.js';

/** A case that can be asked about: one row of one case of the file. */
export interface PolicyCase {
  readonly name: string;
  readonly tags: readonly string[];
  readonly place: Place;
  readonly skip: boolean;
  readonly request: DescribedRequest;
  readonly expected: RequestExpectation;
  readonly response: DescribedResponse | undefined;
  readonly expectedResponse: ResponseExpectation;
}

export interface ReadCases {
  readonly cases: readonly PolicyCase[];
  /** Puts `${NAME}` in the place of what came from the environment. */
  hide(text: string): string;
}

type Environment = Scope['environment'];

/** What only one decision can have; anything else of a message is there for each. */
const MEMBERS_OF: Readonly<Record<string, readonly string[]>> = {
  permit: ['method', 'url', 'state', 'changes'],
  pass: ['status', 'changes'],
  deny: ['status'],
  refuse: ['status', 'code'],
};

/** @throws SourceError with file, line and column of all that is wrong; Error when a file cannot be read */
export function readCaseFile(file: string, text: string, environment: Environment): ReadCases {
  const source = new YamlSource(file, text);
  const checked = CASE_FILE.safeParse(source.value);
  if (!checked.success) source.complain(problemsOf(checked.error));
  const content = checked.data as CaseFile;
  const problems: Problem[] = [];
  const taken = new Map<string, string>();
  const outer = { row: {}, file: {}, environment, taken };
  const variables = replaceVariables(content.variables ?? {}, ['variables'], outer, problems);
  const scope = { ...outer, file: variables as Scope['file'] };
  const baseUrl = replaceVariables(content.base_url, ['base_url'], scope, problems);
  const base = { file, baseUrl: typeof baseUrl === 'string' ? baseUrl : undefined };

  const cases = content.cases.flatMap((one, index) => {
    const rows = one.rows ?? [undefined];
    return rows.map((row, number) => {
      const path: Path = ['cases', index];
      const found: Problem[] = [];
      const rowScope = { ...scope, row: row ?? {} };
      const filled = replaceVariables(withDefaults(one, content.defaults), path, rowScope, found);
      const again = CASE.safeParse(filled);
      if (!again.success && found.length === 0) found.push(...problemsOf(again.error, path));
      const inRow = row === undefined ? '' : ` (row ${number + 1})`;
      if (found.length === 0 && again.success) {
        const name = one.name === again.data.name ? `${one.name}${inRow}` : again.data.name;
        const made = toCase(again.data, { ...base, path, name, place: source.placeOf(path) }, found);
        if (found.length === 0) return made;
      }
      problems.push(...found.map(({ path: at, message }) => ({ path: at, message: `${message}${inRow}` })));
      return undefined;
    });
  });
  source.complain(problems.map((problem) => ({ ...problem, path: placed(problem.path, source) })));
  return { cases: cases.filter((one) => one !== undefined), hide: hideTaken(taken) };
}

/** What a case got from the defaults stands there. */
function placed(path: Path, source: YamlSource): Path {
  const inDefaults = ['defaults', ...path.slice(2)];
  return path[0] === 'cases' && !source.has(path) && source.has(inDefaults) ? inDefaults : path;
}

function withDefaults(one: CaseInFile, defaults: CaseFile['defaults'] = {}): unknown {
  const { rows: _, ...rest } = one;
  const response = one.response && merged(defaults.response, one.response);
  return {
    ...rest,
    tags: [...new Set([...(defaults.tags ?? []), ...(one.tags ?? [])])],
    request: merged(defaults.request, one.request),
    ...(response && { response }),
  };
}

/** Header by header, whatever their case; a body of the case takes the place of any other. */
function merged<M extends RequestInFile | ResponseInFile>(defaults: M | undefined, own: M | undefined): M {
  const { body, json, ...others } = defaults ?? ({} as M);
  const hasBody = own?.body !== undefined || own?.json !== undefined;
  const before = hasBody
    ? others
    : { ...others, ...(body !== undefined && { body }), ...(json !== undefined && { json }) };
  const names = new Set(Object.keys(own?.headers ?? {}).map((name) => name.toLowerCase()));
  const kept = Object.entries(defaults?.headers ?? {}).filter(([name]) => !names.has(name.toLowerCase()));
  return { ...before, ...own, headers: { ...Object.fromEntries(kept), ...own?.headers } } as M;
}

interface Context {
  readonly file: string;
  readonly baseUrl: string | undefined;
  readonly path: Path;
  readonly name: string;
  readonly place: Place;
}

function toCase(one: CaseInFile, context: Context, problems: Problem[]): PolicyCase {
  const { path, name, place } = context;
  const expected = typeof one.expect === 'string' ? { decision: one.expect } : one.expect;
  const given = one.expect_response ?? 'pass';
  const expectedResponse = typeof given === 'string' ? { decision: given } : given;
  checkMembers(expected, expected.decision, [...path, 'expect'], problems);
  checkMembers(expectedResponse, expectedResponse.decision ?? 'pass', [...path, 'expect_response'], problems);
  const complain = (member: string, message: string) => problems.push({ path: [...path, member], message });
  if (one.response && expected.decision !== 'permit')
    complain(
      'response',
      `the policy is not asked about a response when it is expected to ${expected.decision} the request`,
    );
  if (!one.response && one.expect_response) complain('expect_response', 'there is no response');
  const request = toRequest(one.request ?? {}, context, problems);
  const url =
    expected.url === undefined ? undefined : toUrl(expected.url, context, ['expect', 'url'], problems);
  return {
    name,
    place,
    tags: one.tags ?? [],
    skip: one.skip ?? false,
    request,
    expected: { ...expected, ...(url !== undefined && { url }) },
    response: one.response && toResponse(one.response, context, problems),
    expectedResponse,
  };
}

function checkMembers(expected: object, decision: string, path: Path, problems: Problem[]): void {
  const elsewhere = new Set(Object.values(MEMBERS_OF).flat());
  for (const name of Object.keys(expected)) {
    if (elsewhere.has(name) && !MEMBERS_OF[decision]?.includes(name))
      problems.push({ path: [...path, name], message: `a ${decision} has none` });
  }
  const { headers, body } = expected as RequestExpectation;
  if (decision === 'permit' || decision === 'pass') return;
  for (const name of ['changed', 'removed'] as const) {
    if (headers?.[name])
      problems.push({ path: [...path, 'headers', name], message: `a ${decision} has none; use has` });
  }
  if (decision === 'refuse' && (headers || body !== undefined))
    problems.push({ path, message: 'if ping-auth refuses, only status and code can be expected' });
  if (typeof body === 'object' && body.unchanged)
    problems.push({ path: [...path, 'body', 'unchanged'], message: `a ${decision} has its own body` });
}

function toRequest(given: RequestInFile, context: Context, problems: Problem[]): DescribedRequest {
  const url = toUrl(given.url ?? '/', context, ['request', 'url'], problems);
  const body = toBody(given, [...context.path, 'request'], problems);
  const host = URL.canParse(url) ? new URL(url).host : '';
  return {
    method: given.method ?? 'GET',
    url,
    httpVersion: given.http_version ?? '1.1',
    headers: toHeaders({ host, ...lowerCase(given.headers) }, given, body),
    body,
    sourceIp: given.source_ip ?? '192.0.2.1',
    sourcePort: Number(given.source_port ?? 50_000),
    clientCertificatePem: toPem(given.client_certificate, context, problems),
  };
}

function toResponse(given: ResponseInFile, context: Context, problems: Problem[]): DescribedResponse {
  const body = toBody(given, [...context.path, 'response'], problems);
  return {
    status: Number(given.status ?? 200),
    headers: toHeaders(lowerCase(given.headers), given, body),
    body,
  };
}

function toUrl(text: string, { baseUrl, path }: Context, member: Path, problems: Problem[]): string {
  const isPath = text.startsWith('/');
  const at = [...path, ...member];
  if (isPath && baseUrl === undefined)
    problems.push({ path: at, message: 'is a path: write an absolute URL, or set base_url' });
  const whole = isPath ? `${(baseUrl ?? '').replace(/\/$/, '')}${text}` : text;
  const result = shownUrl(whole);
  if ('url' in result) return result.url;
  if (!isPath || baseUrl !== undefined) problems.push({ path: at, message: result.problem });
  return whole;
}

function toBody({ body, json }: RequestInFile | ResponseInFile, path: Path, problems: Problem[]): Uint8Array {
  if (body !== undefined && json !== undefined)
    problems.push({ path: [...path, 'json'], message: 'write either body or json' });
  return Buffer.from(json === undefined ? (body ?? '') : JSON.stringify(json));
}

type HeadersInFile = NonNullable<RequestInFile['headers']>;

function lowerCase(headers: HeadersInFile = {}): HeadersInFile {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** With what every client and server sends along with a body. */
function toHeaders(
  given: HeadersInFile,
  { json }: RequestInFile | ResponseInFile,
  body: Uint8Array,
): [string, string][] {
  const standing: HeadersInFile = {
    ...(json !== undefined && { 'content-type': 'application/json' }),
    ...(body.length > 0 && given['transfer-encoding'] === undefined && { 'content-length': body.length }),
  };
  return Object.entries({ ...standing, ...given }).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((one): [string, string] => [name, String(one)]),
  );
}

function toPem(text: string | undefined, { file, path }: Context, problems: Problem[]): string | undefined {
  if (text === undefined || text.includes('-----BEGIN')) return text;
  try {
    return readFileSync(resolve(dirname(file), text), 'utf8');
  } catch (thrown) {
    problems.push({ path: [...path, 'request', 'client_certificate'], message: fileProblem(text, thrown) });
    return undefined;
  }
}
