/** A header name, method or media type part (RFC 9110, token). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** The same as a Lua pattern. */
export const TOKEN_LUA_PATTERN = "^[%w!#$%%&'*+.^_`|~-]+$";

export function isToken(value: string): boolean {
  return TOKEN.test(value);
}
