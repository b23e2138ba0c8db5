/**
 * Recorded cases in which the stand-in differs from Kong on purpose, each with its reason. A test fails when a case
 * stands here and agrees.
 */
export const NOT_MODELLED: Readonly<Record<string, string>> = {
  ...reason('which 100 of the headers are shown depends on the order of a Lua table', [
    'response-effects/get_headers_300_max100/br',
  ]),
  ...reason('which of two spellings of one name wins depends on the order of a Lua table', [
    'access-effects/exit_header_two_cases/pb',
    'access-effects/exit_header_two_cases/br',
  ]),
};

function reason(why: string, cases: readonly string[]): Record<string, string> {
  return Object.fromEntries(cases.map((name) => [name, why]));
}
