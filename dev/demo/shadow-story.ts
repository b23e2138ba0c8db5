import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { styleText } from 'node:util';
import { sendRequest } from '../http-client.js';
import { heading } from './narrate.js';
import type { DemoStack } from './stack.js';

/** Version 2 of the policy runs as a shadow, and would lock one customer out. @returns whether it came out right */
export async function tellShadowStory(number: number, { kongUrl, logFile }: DemoStack): Promise<boolean> {
  heading(`${number} A stricter policy beside the old one: whom would it lock out?`);
  const statuses: number[] = [];
  for (const who of ['ada', 'carol', 'ada']) {
    const headers = [['Authorization', `Bearer ${who}`]] as const;
    const { status } = await sendRequest(kongUrl, { path: `/bank/accounts/of-${who}`, headers });
    statuses.push(status);
    console.log(`  ${who} asks for accounts: ${status}`);
  }
  const found = await lockedOut(logFile);
  const isRight =
    statuses.every((status) => status === 200) &&
    found.length === 1 &&
    found[0] === '/bank/accounts/of-carol';
  console.log(`  version 2 would deny: ${found.join(', ') || 'nobody'}; everybody was served`);
  console.log(`  ${styleText(isRight ? 'green' : 'red', isRight ? 'right' : 'wrong')}`);
  return isRight;
}

/** Paths of the requests that the shadow policy would deny, once it has answered; the log has them a little later. */
async function lockedOut(logFile: string): Promise<string[]> {
  for (let tries = 0; ; tries++) {
    const lines = (await readFile(logFile, 'utf8'))
      .split('\n')
      .filter((line) => line.includes('"event":"shadow"'));
    const ours = lines
      .map((line) => JSON.parse(line) as { path?: string; result: string; phase: string })
      .filter(({ path, phase }) => phase === 'access' && path?.startsWith('/bank/accounts/of-') === true);
    if (ours.length >= 3 || tries === 100)
      return ours.flatMap(({ path = '', result }) => (result === 'different' ? [path] : []));
    await pause(100);
  }
}
