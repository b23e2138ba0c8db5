/**
 * Recorded cases in which the stand-in differs from Kong on purpose, each with its reason. A test fails when a case
 * stands here and agrees.
 */
export const NOT_MODELLED: Readonly<Record<string, string>> = {
  ...reason('the stock server shows plugin code chance characters for bytes that are not UTF-8', [
    'response-reads/odd_headers/buffered/mr',
  ]),
  ...reason('which 100 of the headers are shown depends on the order of a Lua table', [
    'response-effects/get_headers_300_max100/br',
    'response-effects/get_headers_300_max100/mr',
  ]),
  ...reason('which of two spellings of one name wins depends on the order of a Lua table', [
    'access-effects/exit_header_two_cases/pb',
    'access-effects/exit_header_two_cases/br',
    'access-effects/exit_header_two_cases/mp',
    'access-effects/exit_header_two_cases/mr',
  ]),
};

function reason(why: string, cases: readonly string[]): Record<string, string> {
  return Object.fromEntries(cases.map((name) => [name, why]));
}
