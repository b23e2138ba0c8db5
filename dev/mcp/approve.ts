import { Agent, fetch } from 'undici';

/** What a person does on the approval page of the development policy provider. */
export async function answerOnPage(
  url: string,
  { ca, person, decision = 'approve' }: { ca: string; person: string; decision?: 'approve' | 'decline' },
): Promise<{ status: number; page: string }> {
  const dispatcher = new Agent({ connect: { ca } });
  try {
    const page = await (await fetch(url, { dispatcher })).text();
    const body = new URLSearchParams({ person, decision });
    const response = await fetch(url, { dispatcher, method: 'POST', body });
    await response.text();
    return { status: response.status, page };
  } finally {
    await dispatcher.close();
  }
}
