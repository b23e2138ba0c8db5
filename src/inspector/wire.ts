import type { DifferenceRow, MessageDifference } from '../recordings/message-difference.js';
import type { MessageText } from '../recordings/message-text.js';
import type { Outcome } from '../telemetry/decision-log.js';

/** What the page and its server say to each other. Types only: the page must not pull in the server. */

/** One phase in the list. */
export interface RowPhase {
  /** Of a response that the policy turns into an error: `deny`. */
  readonly outcome?: Outcome;
  /** The log has only the messages: the outcome is worked out from them with the plugin's own rules. */
  readonly isDerived?: true;
  readonly status?: number;
  readonly code?: string;
  readonly detail?: string;
  readonly providerMs?: number;
  readonly changed?: readonly string[];
  /** What a shadow policy decided about the same message. */
  readonly shadow?: ShadowRow;
}

export interface ShadowRow {
  readonly result: 'same' | 'different' | 'error' | 'dropped';
  /** `permit`, `deny 403`. */
  readonly live?: string;
  readonly shadow?: string;
  /** By name; of an error its code. */
  readonly differences: readonly string[];
}

/** One request in the list: what it takes to show, filter and count it. */
export interface Row {
  readonly key: number;
  /** Milliseconds since 1970. */
  readonly time?: number;
  readonly id?: string;
  readonly method?: string;
  /** Without the query. */
  readonly path?: string;
  /** Id in Kong; `routeName` when names were given. */
  readonly route?: string;
  readonly routeName?: string;
  /** The MCP message of the request: `tools/call` and the tool's name. */
  readonly mcp?: { readonly method: string; readonly name?: string };
  readonly access?: RowPhase;
  readonly response?: RowPhase;
}

/** What is read, and how far. */
export interface SourceState {
  /** As it was named on the command line. */
  readonly name: string;
  readonly lines: number;
  /** Of `lines`: at the start of a long log, not read. */
  readonly skipped: number;
  readonly exchanges: number;
  /** Older exchanges are dropped beyond it. */
  readonly limit: number;
  /** True when a file's or standard input's end has been reached; a file is then followed. */
  readonly atEnd: boolean;
  /** Standard input has ended: nothing can follow. */
  readonly closed: boolean;
  /** Why nothing more is read at the moment. */
  readonly trouble?: string;
  readonly broken: number;
  /** The latest lines that could not be read. */
  readonly problems: readonly { readonly line: number; readonly problem: string }[];
}

/** One message of GET /api/events. */
export interface Update {
  /** Another one: the server has been restarted, and what was fetched before belongs to another log. */
  readonly run: string;
  readonly rows: readonly Row[];
  /** Keys below are not kept any longer. */
  readonly firstKey: number;
  readonly source: SourceState;
}

/** One phase of an opened exchange. */
export interface PhaseDetail extends RowPhase {
  readonly ms?: number;
  readonly time?: number;
  readonly provider?: string;
  readonly ignored?: readonly string[];
  readonly correlationId?: string;
  readonly providerErrorId?: string;
  readonly lines: readonly number[];
  readonly shortened?: boolean;
  /** What the catalogue knows about `code`. */
  readonly help?: CodeHelp;
  /** Only with the messages of enable_debug_logging. */
  readonly messages?: PhaseMessages;
  /** What would be sent on: the live decision and the shadow's, side by side. */
  readonly shadowSides?: MessageDifference;
}

export interface PhaseMessages {
  /** What the policy was shown; undefined when that cannot be read: `problem` says why. */
  readonly shown?: MessageText;
  /** What was forwarded, beside what was shown; undefined when nothing was. */
  readonly difference?: MessageDifference;
  /** What the client got from the policy. */
  readonly denial?: MessageText;
  /** Why nothing could be done with the answer, or why there was none. */
  readonly problem?: string;
  /** The answer of the policy as JSON, laid out. */
  readonly answer?: string;
  /** Names of what the log has blanked or cut. */
  readonly redacted: readonly string[];
  readonly cut: readonly string[];
}

export interface CodeHelp {
  readonly meaning: string;
  readonly status: number;
  readonly clientMessage: string;
  readonly failOpen: boolean;
  /** Paragraphs from docs/errors.md; `…` marks code. */
  readonly remedy: string;
}

/** GET /api/exchanges/KEY */
export interface ExchangeDetail extends Omit<Row, 'access' | 'response'> {
  /** As the client called it, with the query, when the messages are there. */
  readonly url?: string;
  readonly clientIp?: string;
  readonly service?: string;
  readonly serviceName?: string;
  /** For the clipboard; only with the messages. */
  readonly copies?: { readonly curl: string; readonly testCase: string };
  readonly access?: PhaseDetail;
  readonly response?: PhaseDetail;
}

export type { DifferenceRow, MessageDifference, MessageText };
