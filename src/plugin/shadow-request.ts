import type { ShownRequest } from '../directives/request-decision.js';
import { type HeaderField, HeaderList } from '../http/headers.js';
import type { HttpRequest } from '../http/message.js';
import { requestUrlOf } from '../http/request-url.js';
import type { RequestPayload } from '../sideband/messages.js';

/** The request as the policy was shown it, from the payload of the first call. @param payload written by `composeRequestPayload` */
export function shownRequestOf(payload: string): {
  readonly request: HttpRequest;
  readonly shown: ShownRequest;
} {
  const { method, url: text, body, ...rest } = JSON.parse(payload) as RequestPayload;
  const fields = rest.headers.flatMap((pair) => Object.entries(pair) as HeaderField[]);
  const headers = HeaderList.from(fields);
  return {
    request: {
      ...{ method, url: requestUrlOf(text), headers, httpVersion: rest.http_version },
      ...{ sourceIp: rest.source_ip, sourcePort: rest.source_port },
      body: Buffer.from(body ?? ''),
      clientCertificatePem: undefined,
    },
    shown: {
      ...{ url: text, headers, certificate: rest.client_certificate },
      body:
        body === undefined
          ? { kind: 'omitted', reason: 'disabled' }
          : body === ''
            ? { kind: 'absent' }
            : { kind: 'text', text: body },
    },
  };
}
