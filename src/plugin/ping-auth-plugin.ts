import { KongGateway } from '../kong/kong-gateway.js';
import type { KongPdk } from '../kong/kong-pdk.js';
import { RequestHeadReader } from '../kong/request-head.js';
import { AccessPhase } from './access-phase.js';
import { type PhaseEvent, type PluginHost, STOCK_HOST } from './host.js';
import { type Instance, startInstance } from './instance.js';
import { runPhase } from './phase-runner.js';
import { ResponsePhase } from './response-phase.js';
import { processShared, Shared } from './runtime.js';

/** For the host that tells nothing about its events. */
const NO_EVENT: PhaseEvent = {};

/**
 * The plugin class that Kong's hosts know: one object for each configuration, one call for each phase of each request.
 * It keeps nothing of a request; what the response phase needs travels in `kong.ctx.shared`.
 */
export class PingAuthPlugin {
  readonly #instance: Instance;
  readonly #host: PluginHost;
  readonly #heads = new RequestHeadReader();

  /**
   * @param config the admin's configuration with Kong's additions. An invalid one does not throw: Kong could not be told
   *   why, so the instance logs it once and refuses every request.
   * @param shared a `Shared`, in place of what all instances of the process have in common. Not named by its type: this one
   *   is published, and must not reach other packages' types
   */
  constructor(config: unknown, host: PluginHost = STOCK_HOST, shared?: object) {
    this.#host = host;
    this.#instance = startInstance(config, host, shared instanceof Shared ? shared : processShared());
  }

  /** Asks the policy about the request. Comes back only when the request may go on to the upstream. */
  access(kong: KongPdk, event: PhaseEvent = NO_EVENT): Promise<void> {
    return runPhase(new AccessPhase(this.#instance, this.#gateway(kong)), this.#instance, event);
  }

  /** Asks the policy about the upstream's response. Comes back only when it may go out to the client. */
  response(kong: KongPdk, event: PhaseEvent = NO_EVENT): Promise<void> {
    return runPhase(new ResponsePhase(this.#instance, this.#gateway(kong)), this.#instance, event);
  }

  /** The instance is gone; its connections stay for others that use the same policy provider. */
  close(): void {
    const { setup } = this.#instance;
    if (setup instanceof Error) return;
    setup.client.release();
    setup.shadow?.close();
  }

  #gateway(kong: KongPdk): KongGateway {
    return new KongGateway(kong, this.#host === STOCK_HOST, this.#heads);
  }
}
