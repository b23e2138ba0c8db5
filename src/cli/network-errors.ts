/** What Node.js's codes of the network mean, for people. */
const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'no name server answers',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection closed by the other side',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
};

/** `no such host name`; the code itself where it is not known. */
export function wordsFor(code: string): string {
  return WORDS[code] ?? code;
}
