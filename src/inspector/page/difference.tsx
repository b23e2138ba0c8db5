import type { DifferenceRow, MessageDifference, MessageText } from '../wire.js';

const MAX_LINES = 2000;
const SIGN = { same: ' ', added: '+', removed: '−', changed: '±' } as const;
const WORD = { same: '', added: 'added', removed: 'removed', changed: 'changed' } as const;

interface Titles {
  before: string;
  after: string;
}

/** Two messages side by side; below each other where there is no room. */
export function Difference({ difference, before, after }: Titles & { difference: MessageDifference }) {
  const { start, headers, body } = difference;
  return (
    <div class="message">
      <div class="sides" aria-hidden="true">
        <span>{before}</span>
        <span>{after}</span>
      </div>
      <Pair row={start} className="start" />
      <HeaderTable rows={headers} before={before} after={after} />
      {body.length > 0 && (
        <div class="body">
          {body.slice(0, MAX_LINES).map((row, index) => (
            <Pair key={index} row={row} className="line" />
          ))}
          {body.length > MAX_LINES && <p class="note">… {body.length - MAX_LINES} more lines</p>}
        </div>
      )}
    </div>
  );
}

function Pair({ row, className }: { row: DifferenceRow; className: string }) {
  const { change, before, after } = row;
  return (
    <div class={`pair ${className} ${change}`}>
      <Side side="before" text={before} change={change} />
      <Side side="after" text={after} change={change} />
    </div>
  );
}

function Side({
  side,
  text,
  change,
}: { side: 'before' | 'after'; text: string | undefined } & Pick<DifferenceRow, 'change'>) {
  if (text === undefined) return <span class={`${side} nothing`} />;
  const sign = change === 'same' ? ' ' : side === 'before' ? '−' : '+';
  return (
    <span class={side}>
      <span class="sign">{sign}</span>
      {change !== 'same' && <span class="hidden">{side === 'before' ? 'removed: ' : 'added: '}</span>}
      {text === '' ? ' ' : text}
    </span>
  );
}

function HeaderTable({ rows, before, after }: Titles & { rows: MessageDifference['headers'] }) {
  if (rows.length === 0) return <p class="note">no headers</p>;
  return (
    <table class="headers">
      <colgroup>
        <col class="w-sign" />
        <col class="w-name" />
        <col />
        <col class="w-after" />
      </colgroup>
      <thead>
        <tr>
          <th scope="col" class="sign">
            <span class="hidden">Change</span>
          </th>
          <th scope="col">Header</th>
          <th scope="col">{before}</th>
          <th scope="col">{after}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, change, before: old, after: now }, index) => (
          <tr key={`${name} ${index}`} class={change}>
            <td class="sign">
              <span aria-hidden="true">{SIGN[change]}</span>
              <span class="hidden">{WORD[change]}</span>
            </td>
            <th scope="row">{name}</th>
            <td class="before">{old}</td>
            <td class="after">{change === 'same' ? <span class="same-mark">same</span> : now}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** One message, compared with nothing. */
export function Message({ message, title }: { message: MessageText; title: string }) {
  const lines = message.body === '' ? [] : message.body.split('\n');
  return (
    <div class="message single">
      <div class="sides" aria-hidden="true">
        <span>{title}</span>
      </div>
      <div class="pair start same">
        <span class="before">{message.start}</span>
      </div>
      {message.headers.length > 0 && (
        <table class="headers" aria-label={`${title}: headers`}>
          <colgroup>
            <col class="w-single" />
            <col />
          </colgroup>
          <thead class="hidden">
            <tr>
              <th scope="col">Header</th>
              <th scope="col">Value</th>
            </tr>
          </thead>
          <tbody>
            {message.headers.map(([name, value], index) => (
              <tr key={`${name} ${index}`}>
                <th scope="row">{name}</th>
                <td>{value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {lines.length > 0 && (
        <pre class="body">
          {lines.slice(0, MAX_LINES).join('\n')}
          {lines.length > MAX_LINES && `\n… ${lines.length - MAX_LINES} more lines`}
        </pre>
      )}
    </div>
  );
}
