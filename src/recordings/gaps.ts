import { cutMark, hasRedaction } from '../telemetry/gap-marks.js';

/** What of a message is not in the log: names of its parts (`url`, `header:cookie`, `body`), never values. */
export interface Gaps {
  /** Blanked, or with something blanked inside. */
  readonly redacted: readonly string[];
  /** Only the beginning is there. */
  readonly cut: readonly string[];
}

/** Of a sideband message as a debug line shows it (telemetry/gap-marks.ts). */
export function gapsOf(message: unknown): Gaps {
  const redacted = new Set<string>();
  const cut = new Set<string>();
  const note = (name: string, value: unknown): void => {
    if (typeof value === 'string') {
      if (hasRedaction(value)) redacted.add(name);
      if (cutMark(value) !== undefined) cut.add(name);
    } else if (typeof value === 'object' && value !== null) {
      for (const member of Object.values(value)) note(name, member);
    }
  };
  if (typeof message !== 'object' || message === null) note('message', message);
  else {
    for (const [name, value] of Object.entries(message)) {
      if (name === 'headers' && Array.isArray(value)) value.forEach(noteHeader);
      // A deny has its headers and body one level down.
      else if (name === 'response') merge(gapsOf(value));
      else note(name, value);
    }
  }
  return { redacted: [...redacted], cut: [...cut] };

  function noteHeader(item: unknown): void {
    if (typeof item !== 'object' || item === null) note('headers', item);
    else if (Array.isArray(item)) note(`header:${item[0]}`, item[1]);
    else for (const [name, value] of Object.entries(item)) note(`header:${name.toLowerCase()}`, value);
  }

  function merge(inner: Gaps): void {
    for (const name of inner.redacted) redacted.add(name);
    for (const name of inner.cut) cut.add(name);
  }
}
