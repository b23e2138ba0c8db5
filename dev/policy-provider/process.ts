import { startProcess } from '../child-process.js';
import type { SidebandCall } from './call-log.js';
import type { RuleInput } from './rules.js';

export interface ProviderProcessOptions {
  readonly port?: number;
  readonly rulesFile?: string;
  readonly secret?: string;
  readonly secretHeader?: string;
  /** Files, PEM. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly clientCaFile?: string };
  readonly keepAliveMs?: number;
}

/** A policy provider in a process of its own. */
export interface ProviderProcess {
  readonly pid: number;
  readonly url: string;
  /** PEM of its CA; with a given certificate that certificate itself. */
  readonly ca: string;
  calls(): Promise<SidebandCall[]>;
  clearCalls(): Promise<void>;
  /** @throws Error that names the member when a rule cannot be understood. */
  setRules(rules: readonly RuleInput[]): Promise<void>;
  /** Sends a signal and waits for the end. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

const SECRET_VARIABLE = 'POLICY_PROVIDER_SECRET';

/** @throws Error with the process's own words when it cannot start (port taken, rules wrong). */
export async function startProviderProcess(options: ProviderProcessOptions = {}): Promise<ProviderProcess> {
  const { rulesFile, secret, secretHeader, tls, keepAliveMs } = options;
  const given: readonly (readonly [string, string | undefined])[] = [
    ['--port', String(options.port ?? 0)],
    ['--admin-port', '0'],
    ['--rules', rulesFile],
    ['--secret-env', secret === undefined ? undefined : SECRET_VARIABLE],
    ['--secret-header', secretHeader],
    ['--cert', tls?.certFile],
    ['--key', tls?.keyFile],
    ['--client-ca', tls?.clientCaFile],
    ['--keep-alive-ms', keepAliveMs?.toString()],
  ];
  const started = await startProcess<{ url: string; adminUrl: string; ca: string }>(
    './main.ts',
    import.meta.url,
    {
      args: given.flatMap(([flag, value]) => (value === undefined ? [] : [flag, value])),
      env: secret === undefined ? {} : { [SECRET_VARIABLE]: secret },
      bundled: true,
    },
  );
  const { url, adminUrl, ca } = started.ready;
  return {
    pid: started.pid,
    url,
    ca,
    calls: async () => (await ask(`${adminUrl}/_calls`, 'GET')) as SidebandCall[],
    clearCalls: async () => void (await ask(`${adminUrl}/_calls`, 'DELETE')),
    setRules: async (rules) => void (await ask(`${adminUrl}/_rules`, 'PUT', JSON.stringify({ rules }))),
    end: (signal) => started.end(signal),
  };
}

async function ask(url: string, method: string, body: string | null = null): Promise<unknown> {
  const response = await fetch(url, { method, body });
  const answer: unknown = await response.json();
  if (!response.ok) throw new Error(`policy provider: ${JSON.stringify(answer)}`);
  return answer;
}
