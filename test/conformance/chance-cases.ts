/** A case whose outcome is chance in Kong itself, so that another run of Kong, too, can differ from the recording. */
export interface ChanceCase {
  readonly reason: string;
  /** How the stand-in differs from the recording; without it, it does as recorded. */
  readonly difference?: RegExp;
}

/**
 * On a real Kong these cases are not applicable. On the stand-in each one does exactly what stands here: a test fails if it agrees
 * or differs in another way.
 */
export const CHANCE_CASES: Readonly<Record<string, ChanceCase>> = {
  ...cases('the stock server shows plugin code chance characters for bytes that are not UTF-8', {
    'response-reads/odd_headers/buffered/mr':
      /^response read 1: Kong \{.*"x-latin":\["café.*; here \{"x-lower":\["1"\],"x-under":\["2"\],"x-empty":\[" "\],"x-latin":\["café[^"]{2}"\],"x\.dot":\["3"\],"content-length":\["5"\],"connection":\["keep-alive"\]\}$/s,
    'reads/path_dots_unicode_valid_utf8/mp': undefined,
  }),
  ...cases('which 100 of the headers are shown depends on the order of a Lua table', {
    'response-effects/get_headers_300_max100/br': /^response call 0: Kong .*; here \{"x-r0":"0","x-r1":/s,
    'response-effects/get_headers_300_max100/mr': /^response call 0: Kong .*; here \{"x-r0":\["0"\],"x-r1":/s,
  }),
  ...cases('the order of the members of a JSON body is the order of a Lua table', {
    'access-effects/mp_exit_table_body/mp': undefined,
    'access-effects/mp_exit_table_body/mr': undefined,
  }),
  ...cases('which of two spellings of one name wins depends on the order of a Lua table', {
    'access-effects/exit_header_two_cases/pb':
      /^response 0: headers: missing \["x-dup: 1"\]; added \["X-Dup: 2"\]$/,
    'access-effects/exit_header_two_cases/br':
      /^response 0: headers: missing \["x-dup: 1"\]; added \["X-Dup: 2"\]$/,
    'access-effects/exit_header_two_cases/mp':
      /^response 0: headers: missing \["x-dup: 1"\]; added \["X-Dup: 2"\]$/,
    'access-effects/exit_header_two_cases/mr':
      /^response 0: headers: missing \["x-dup: 1"\]; added \["X-Dup: 2"\]$/,
    'access-effects/set_headers_same_name_two_cases/pb': undefined,
    'access-effects/set_headers_same_name_two_cases/br': undefined,
    'access-effects/set_headers_same_name_two_cases/mp': undefined,
    'access-effects/set_headers_same_name_two_cases/mr': undefined,
  }),
};

function cases(reason: string, known: Record<string, RegExp | undefined>): Record<string, ChanceCase> {
  return Object.fromEntries(
    Object.entries(known).map(([name, difference]) => [
      name,
      difference === undefined ? { reason } : { reason, difference },
    ]),
  );
}
