import { run } from '../../src/cli/pluginserver-command.js';
import type { AnyKong } from './probe-server.js';

/** What process tests start: the real command line with a plugin that lets tests reach into the process. */
class Plugin {
  readonly #config: { readonly mark?: string };

  constructor(config: { readonly mark?: string; readonly unusable?: boolean }) {
    if (config.unusable === true) throw new Error('unusable configuration');
    this.#config = config;
  }

  async access(kong: AnyKong): Promise<void> {
    const command = await kong.request.getHeader('x-do');
    if (command === 'wait') await new Promise((resolve) => setTimeout(resolve, 300));
    if (command === 'hang') await new Promise(() => {});
    if (command === 'crash') process.kill(process.pid, 'SIGKILL');
    if (command === 'stray') void Promise.reject(new Error('a stray rejection'));
    await kong.service.request.setHeader('x-mark', `${this.#config.mark}:${process.pid}`);
  }
}

process.exitCode = await run(process.argv, {
  loadPlugin: async () => ({ Name: 'probe', Version: '1.2.3', Priority: 7, Schema: [], Plugin }),
});
