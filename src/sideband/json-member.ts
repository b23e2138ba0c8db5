import { jsonMembers } from '../http/json-members.js';

/**
 * The text of one member's value, verbatim as it stands in a JSON object. Of a name that occurs twice the last one counts, as
 * for JSON.parse.
 *
 * @param json text of an object that JSON.parse has accepted
 * @returns undefined when there is no such member
 */
export function memberText(json: string, member: string): string | undefined {
  let found: string | undefined;
  for (const { name, valueStart, end } of jsonMembers(json)) {
    if (name === member) found = json.slice(valueStart, end);
  }
  return found;
}
