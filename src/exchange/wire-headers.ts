import type { HeaderList } from './header-list.js';
import type { WireHeaders } from './sideband-message.js';
import { toWireText } from './text.js';

/** `[{"x-a":"1"},{"x-a":"2"}]`: one single-pair object for every value, names in lower case. */
export function toWireHeaders(headers: HeaderList): WireHeaders {
  return Array.from(headers, ([name, value]) => ({ [name]: toWireText(value) }));
}
