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

/** Where the admin server listens. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `[::1]:9145` or `:9145` (all interfaces are never implied: that is 127.0.0.1). */
export function hostAndPort(text: string): HostAndPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match && port <= 65535) return { host: match[1] ?? (match[2] || '127.0.0.1'), port };
  throw new InvalidArgumentError('HOST:PORT is expected, for example 127.0.0.1:9145.');
}
