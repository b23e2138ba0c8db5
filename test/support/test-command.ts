import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { assembled } from '../../dev/closing.js';
import { type PolicyProvider, startPolicyProvider } from '../../dev/policy-provider/server.js';
import { testCommand } from '../../src/cli/test/command.js';
import { FakeTerminal } from './fake-terminal.js';

export const SECRET = 'test-command-secret';
/** What the environment of the command holds. */
export const TOKEN = 'Bearer token-of-the-environment';

export interface TestCommandSetup {
  readonly folder: string;
  readonly provider: PolicyProvider;
  /** `ping-auth test` with these arguments, against that provider. */
  run(...args: string[]): Promise<FakeTerminal['result']>;
  /** A file with this text. */
  file(text: string, name?: string): string;
  /** A file with these cases. */
  cases(text: string): string;
}

/** The demo's policy, and a folder for files of cases. Call it once at the top of a test file. */
export function testCommandSetup(): TestCommandSetup {
  let folder: string;
  let provider: PolicyProvider;
  let close: () => Promise<void>;
  beforeAll(async () => {
    close = await assembled(async (closing) => {
      folder = closing.folder('ping-auth-test-');
      const rulesFile = fileURLToPath(new URL('../../dev/demo/rules.yaml', import.meta.url));
      provider = await startPolicyProvider({ secret: SECRET, rulesFile });
      closing.add(() => provider.close());
      writeFileSync(join(folder, 'ca.pem'), provider.ca);
      return () => closing.close();
    });
  });
  afterEach(() => provider.clear());
  afterAll(() => close?.());
  const file = (text: string, name = 'cases.yaml') => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  return {
    get folder() {
      return folder;
    },
    get provider() {
      return provider;
    },
    async run(...args) {
      const terminal = new FakeTerminal({ SECRET, TOKEN, ADA: 'Bearer ada' });
      const access = [
        '--service-url',
        provider.url,
        '--secret-env',
        'SECRET',
        '--ca',
        join(folder, 'ca.pem'),
      ];
      await testCommand(terminal).parseAsync([...args, ...access], { from: 'user' });
      return terminal.result;
    },
    file,
    cases: (text) => file(`base_url: https://bank.example\ncases:\n${text}`),
  };
}
