import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { ApprovalRequest, Approvals } from './approvals.js';

const PATH = /^\/approvals\/([0-9a-f-]{36})$/;

/**
 * The page on which a person approves a call. Who opens it has to say who they are: this double compares that with the person on
 * whose behalf the agent called, where a real page has them sign in.
 *
 * @returns false for a request that is not for the page
 */
export async function serveApprovalPage(
  approvals: Approvals,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const [, id] = PATH.exec(request.url ?? '') ?? [];
  if (id === undefined) return false;
  const asked = approvals.get(id);
  if (asked === undefined) reply(response, 404, 'There is nothing to approve here (any more).');
  else if (request.method === 'GET') reply(response, 200, form(asked));
  else if (request.method === 'POST')
    answer(approvals, asked, new URLSearchParams(await text(request)), response);
  else reply(response, 405, 'GET or POST');
  return true;
}

function answer(
  approvals: Approvals,
  asked: ApprovalRequest,
  form: URLSearchParams,
  response: ServerResponse,
): void {
  if (form.get('person') !== asked.person) {
    reply(response, 403, 'Only the person on whose behalf the agent called can approve this.');
  } else if (form.get('decision') === 'approve') {
    approvals.approve(asked);
    reply(response, 200, 'Approved. The agent can make its call now.');
  } else {
    approvals.decline(asked);
    reply(response, 200, 'Declined.');
  }
}

function form({ message, method, name, arguments: args }: ApprovalRequest): string {
  return `${escapeHtml(message)}
<dl><dt>Call</dt><dd>${escapeHtml(method)} <b>${escapeHtml(name)}</b></dd>
<dt>Arguments</dt><dd><pre>${escapeHtml(JSON.stringify(args, undefined, 2))}</pre></dd></dl>
<form method="post">
<label>Who are you? (the agent's Authorization header; a real page has you sign in) <input name="person" required></label>
<button name="decision" value="approve">Approve</button>
<button name="decision" value="decline">Decline</button>
</form>`;
}

function reply(response: ServerResponse, status: number, content: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
  });
  response.end(
    `<!doctype html><html lang="en"><title>Approval</title><h1>An agent asks</h1><p>${content}</p></html>`,
  );
}

function escapeHtml(value: string): string {
  return value.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
