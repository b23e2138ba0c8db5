import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PING_AUTH = fileURLToPath(new URL('../../dist/bin/ping-auth.mjs', import.meta.url));

export interface InspectPage {
  /** The latest unused link. */
  url(): string;
  end(): Promise<void>;
}

/** `ping-auth inspect` as users have it. @throws Error with its own words when it does not start */
export async function startInspectPage(logFile: string, port: number): Promise<InspectPage> {
  const child = spawn(process.execPath, [PING_AUTH, 'inspect', logFile, '--port', String(port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C reaches the whole group; the demo ends this one in order.
    detached: true,
  });
  let output = '';
  let link: string | undefined;
  const started = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += String(chunk);
        link = output.match(/http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]+/g)?.at(-1);
        if (link !== undefined) resolve();
      });
    }
    child.once('error', reject);
    child.once('close', () =>
      reject(new Error(`${output.trim()}\nChoose another port: npm run demo -- --inspect-port N`)),
    );
  });
  await started;
  const stop = () => child.kill('SIGTERM');
  // However the demo ends, this must not stay.
  process.once('exit', stop);
  return {
    url: () => link ?? '',
    async end() {
      process.off('exit', stop);
      if (child.exitCode !== null) return;
      stop();
      await once(child, 'exit');
    },
  };
}
