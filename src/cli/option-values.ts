// Values of options of `ping-auth`. Each throws InvalidArgumentError, which commander turns into a sentence.
import { InvalidArgumentError } from 'commander';
import { isToken } from '../http/text.js';

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
  };
}

/** `Name: value`, added to those of the same option before it. */
export function headerField(
  text: string,
  before: readonly (readonly [string, string])[] = [],
): readonly (readonly [string, string])[] {
  const at = text.indexOf(':');
  const name = text.slice(0, at).trim();
  if (at < 1 || !isToken(name)) throw new InvalidArgumentError('expected "Name: value"');
  return [...before, [name, text.slice(at + 1).trim()]];
}

export function httpUrl(text: string): URL {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) {
    throw new InvalidArgumentError('expected an absolute http or https URL');
  }
  return new URL(text);
}

/** A URL, for one place of a configuration or for all of them. */
export interface PlacedUrl {
  readonly place: string | undefined;
  readonly url: URL;
}

/** `https://…` or `service orders=https://…`, added to those of the same option before it. */
export function placedUrl(text: string, before: readonly PlacedUrl[] = []): readonly PlacedUrl[] {
  const [, place, url = text] = /^([^:=]+)=(https?:\/\/.*)$/i.exec(text) ?? [];
  return [...before, { place: place?.trim(), url: httpUrl(url) }];
}
