import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { CodeHelp, ExchangeDetail, PhaseDetail } from '../wire.js';
import { Badge } from './badge.js';
import { decisionOf, phaseDecision } from './decision.js';
import { Difference, Message } from './difference.js';
import { targetOf } from './groups.js';
import { detail, items, neighbour, open, openKey } from './state.js';
import { dayAndTime, milliseconds } from './time.js';
import { Way } from './way.js';

export function ExchangeView() {
  const found = detail.value;
  const heading = useRef<HTMLHeadingElement>(null);
  const key = openKey.value;
  useEffect(() => {
    copied.value = '';
  }, [key]);
  // On a narrow screen it covers the list: who opened it goes on from here.
  useEffect(() => {
    if (matchMedia('(max-width: 1100px)').matches) heading.current?.focus();
  }, [key]);
  const title = typeof found === 'object' ? titleOf(found) : 'Request';
  return (
    <section class="exchange" aria-label="Opened request">
      <div class="exchange-head">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        {typeof found === 'object' && <Total found={found} />}
        <Neighbours />
        <button type="button" onClick={() => open(undefined)} title="Esc">
          Close
        </button>
      </div>
      {found === 'gone' && <p class="note">This request is no longer kept: newer ones took its place.</p>}
      {(found === 'loading' || found === undefined) && <p class="note">Loading …</p>}
      {typeof found === 'object' && <Opened found={found} />}
    </section>
  );
}

function titleOf(found: ExchangeDetail): string {
  const { head = '', rest } = targetOf(found);
  return `${head} ${rest}`.trim();
}

function Neighbours() {
  // The list changes while one reads.
  items.value;
  const [before, after] = [neighbour(-1), neighbour(1)];
  return (
    <div class="neighbours">
      <button type="button" disabled={before === undefined} onClick={() => open(before)} title="k">
        Previous
      </button>
      <button type="button" disabled={after === undefined} onClick={() => open(after)} title="j">
        Next
      </button>
    </div>
  );
}

const copied = signal('');

/** To the clipboard; says so where it can be heard, too. */
function Copy({ what, text }: { what: string; text: string | undefined }) {
  if (text === undefined) return null;
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => {
        copied.value = `${what} copied`;
      },
      () => {
        copied.value = 'the browser did not let the page copy';
      },
    );
  return (
    <button type="button" onClick={() => void copy()}>
      Copy {what}
    </button>
  );
}

function Total({ found }: { found: ExchangeDetail }) {
  const { kind, isMonitored, isKnown } = decisionOf(found);
  return isKnown ? <Badge kind={kind} isMonitored={isMonitored} /> : null;
}

function Opened({ found }: { found: ExchangeDetail }) {
  const { access, response } = found;
  const hasMessages = access?.messages !== undefined || response?.messages !== undefined;
  return (
    <div class="exchange-body">
      <Way detail={found} />
      <dl class="facts">
        <Fact name="Time" value={dayAndTime(found.time)} />
        <Fact name="Request id" value={found.id} isCode />
        {found.url !== undefined && <Fact name="URL" value={found.url} isCode />}
        {found.mcp !== undefined && <Fact name="MCP" value={titleOf(found)} isCode />}
        <Fact name="Route" value={named(found.routeName, found.route)} isCode />
        <Fact name="Service" value={named(found.serviceName, found.service)} isCode />
      </dl>
      <div class="copies">
        <Copy what="id" text={found.id} />
        <Copy what="as curl" text={found.copies?.curl} />
        <Copy what="as test case" text={found.copies?.testCase} />
        <span role="status">{copied.value}</span>
      </div>
      {!hasMessages && (
        <p class="hint">
          The log has only the decision. With <code>enable_debug_logging: true</code> in the plugin’s
          configuration it also has both messages of each call, without secrets, and this page shows what the
          policy changed. So does a file of <code>--record-file</code>.
        </p>
      )}
      {access && <Phase phase={access} isRequest />}
      {response && <Phase phase={response} isRequest={false} />}
    </div>
  );
}

function named(name: string | undefined, id: string | undefined): string | undefined {
  return name === undefined ? id : `${name} (${id})`;
}

function Fact({
  name,
  value,
  isCode = false,
}: {
  name: string;
  value: string | undefined;
  isCode?: boolean;
}) {
  if (value === undefined) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{isCode ? <code>{value}</code> : value}</dd>
    </div>
  );
}

function Phase({ phase, isRequest }: { phase: PhaseDetail; isRequest: boolean }) {
  const decision = phaseDecision(phase);
  const name = isRequest ? 'request' : 'response';
  const { messages, help } = phase;
  return (
    <section class="phase" id={`phase-${name}`} aria-labelledby={`phase-${name}-title`}>
      <h3 id={`phase-${name}-title`}>
        {isRequest ? 'Request' : 'Response'} {decision && <Badge {...decision} />}
      </h3>
      <dl class="facts">
        <Fact name="Policy provider" value={phase.provider} isCode />
        <Fact
          name="It took"
          value={phase.providerMs === undefined ? undefined : milliseconds(phase.providerMs)}
        />
        <Fact name="Whole phase" value={phase.ms === undefined ? undefined : milliseconds(phase.ms)} />
        <Fact name="Client gets" value={phase.status?.toString()} />
        <Fact name="Changed" value={phase.changed?.join(', ')} isCode />
        <Fact name="Ignored" value={phase.ignored?.join(', ')} isCode />
        <Fact name="Correlation id" value={phase.correlationId} isCode />
        <Fact name="Provider’s error id" value={phase.providerErrorId} isCode />
        <Fact name={phase.lines.length === 1 ? 'Line' : 'Lines'} value={phase.lines.join(', ')} />
      </dl>
      {phase.code !== undefined && <ErrorResponse code={phase.code} detail={phase.detail} help={help} />}
      {phase.isDerived && (
        <p class="note">
          There is no decision line: the decision is worked out from the recorded messages, with the plugin’s
          own rules.
        </p>
      )}
      {phase.shortened && (
        <p class="note">The line was shortened for Kong’s log; the file of --log-file has it whole.</p>
      )}
      {messages && <Messages messages={messages} isRequest={isRequest} />}
      {phase.shadow && <ShadowDecision shadow={phase.shadow} sides={phase.shadowSides} />}
    </section>
  );
}

/** Both decisions, side by side where the log has the messages. */
function ShadowDecision({
  shadow,
  sides,
}: {
  shadow: NonNullable<PhaseDetail['shadow']>;
  sides: PhaseDetail['shadowSides'];
}) {
  return (
    <>
      <h4>Shadow policy: {shadow.result}</h4>
      <dl class="facts">
        <Fact name="Live decision" value={shadow.live} isCode />
        <Fact name="Shadow decision" value={shadow.shadow} isCode />
        <Fact name="Differences" value={shadow.differences.join(', ') || undefined} isCode />
      </dl>
      {sides && shadow.result === 'different' && (
        <Difference difference={sides} before="Live policy" after="Shadow policy" />
      )}
    </>
  );
}

function Messages({
  messages,
  isRequest,
}: {
  messages: NonNullable<PhaseDetail['messages']>;
  isRequest: boolean;
}) {
  const { shown, difference, denial, problem, answer, redacted, cut } = messages;
  const [before, after] = isRequest
    ? ['What the client sent', 'What the upstream gets']
    : ['What the upstream sent', 'What the client gets'];
  return (
    <>
      {difference?.isSame && shown ? (
        <Message
          message={shown}
          title={`${before}; ${isRequest ? 'the upstream' : 'the client'} gets the same`}
        />
      ) : difference ? (
        <Difference difference={difference} before={before} after={after} />
      ) : (
        shown && <Message message={shown} title={before} />
      )}
      {denial && <Message message={denial} title="What the client gets from the policy" />}
      {problem !== undefined && (
        <p class="note">
          {isRequest ? 'Nothing reaches the upstream' : 'Nothing of it reaches the client'}: {problem}
        </p>
      )}
      {redacted.length + cut.length > 0 && (
        <p class="note">
          {redacted.length > 0 && `Blanked in the log: ${redacted.join(', ')}. `}
          {cut.length > 0 && `Only the beginning is in the log: ${cut.join(', ')}.`}
        </p>
      )}
      {answer !== undefined && (
        <details class="answer">
          <summary>Answer of the policy</summary>
          <pre tabIndex={0}>{answer}</pre>
        </details>
      )}
    </>
  );
}

/** What a code means and what to do, from the catalogue and docs/errors.md. */
function ErrorResponse({
  code,
  detail,
  help,
}: {
  code: string;
  detail: string | undefined;
  help: CodeHelp | undefined;
}) {
  return (
    <div class="refusal">
      <p>
        <code class="code">{code}</code> {help?.meaning ?? 'A code that this version does not know.'}
      </p>
      {detail !== undefined && <p class="detail">{detail}</p>}
      {help && (
        <>
          {help.remedy.split(/\n{2,}/).map((paragraph) => (
            <p key={paragraph}>
              {paragraph
                .split(/(`[^`]+`|\*\*[^*]+\*\*)/)
                .map((part, index) =>
                  part.startsWith('`') ? (
                    <code key={index}>{part.slice(1, -1)}</code>
                  ) : part.startsWith('**') ? (
                    <b key={index}>{part.slice(2, -2)}</b>
                  ) : (
                    part
                  ),
                )}
            </p>
          ))}
          <p>
            <a href={`/troubleshooting#${code}`} target="_blank" rel="noreferrer">
              Troubleshooting: {code}
            </a>
          </p>
        </>
      )}
    </div>
  );
}
