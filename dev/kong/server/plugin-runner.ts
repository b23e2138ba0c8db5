import type { KongLog } from '../kong-log.js';
import { PdkError } from '../pdk/pdk-error.js';
import type { Phase, RequestContext } from '../request-context.js';
import { InstanceCache, type LoadedPlugin } from '../rpc/instances.js';
import type { PluginClient } from '../rpc/plugin-client.js';
import { CLOSED, RpcError } from '../rpc/rpc-error.js';

/** Kong's own 500 in place of what the plugin server should have said. */
export class PluginServerDown extends Error {
  override readonly name = 'PluginServerDown';
}

/** One plugin server as one worker uses it. */
export class PluginRunner {
  readonly #instances: InstanceCache;

  constructor(
    readonly client: PluginClient,
    private readonly protocol: 'pb' | 'mp',
    private readonly log: KongLog,
    private readonly maxRepeats: number,
  ) {
    this.#instances = new InstanceCache(client);
  }

  /**
   * Runs one phase of one plugin. A server that forgot the instance makes Kong start it anew and run the event again,
   * a real Kong without limit.
   * @throws ExitSignal, PdkError, PluginServerDown
   */
  async run(loaded: LoadedPlugin, ctx: RequestContext, phase: Phase): Promise<void> {
    ctx.phase = phase;
    for (let attempt = 0; ; attempt++) {
      if (attempt > this.maxRepeats) {
        const message = `THE STAND-IN GAVE UP: event ${phase} of ${loaded.plugin.name} was run ${attempt} times`;
        this.log.write('alert', `${message}; a real Kong would go on without limit`, ctx.id);
        throw new PluginServerDown(message);
      }
      const id = await this.#instanceId(loaded, ctx);
      try {
        await this.client.handleEvent(id, phase, { ctx, log: this.log, protocol: this.protocol });
        return;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (!this.#forgotten(error.message)) return this.#failed(error, ctx);
        this.log.write('warn', error.message, ctx.id);
        this.#instances.reset();
      }
    }
  }

  async #instanceId(loaded: LoadedPlugin, ctx: RequestContext): Promise<number> {
    try {
      return await this.#instances.id(loaded);
    } catch (error) {
      if (error instanceof RpcError) {
        this.log.write('error', `starting instance: ${error.message}`, ctx.id);
        throw new PdkError(error.message);
      }
      throw error;
    }
  }

  #forgotten(message: string): boolean {
    const text = message.toLowerCase();
    if (text.includes('no plugin instance')) return true;
    return this.protocol === 'pb' && text === CLOSED;
  }

  /** ProtoBuf:1 answers 500; MsgPack:1 only logs and goes on: it fails open. */
  #failed(error: RpcError, ctx: RequestContext): void {
    this.log.write('error', error.message, ctx.id);
    if (this.protocol === 'pb') throw new PluginServerDown(error.message);
  }
}
