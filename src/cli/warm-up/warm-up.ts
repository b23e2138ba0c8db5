import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { createSecureContext } from 'node:tls';
import { MemoryBudget } from '../../plugin/memory-budget.js';
import { PingAuthPlugin } from '../../plugin/ping-auth-plugin.js';
import { Shared } from '../../plugin/runtime.js';
import { InstanceRegistry } from '../../pluginserver/instance-registry.js';
import { InstanceTable } from '../../pluginserver/instances.js';
import { DEFAULTS, type ServerLogger } from '../../pluginserver/options.js';
import { PluginHost } from '../../pluginserver/plugin-host.js';
import type { HostInfo, PluginModule } from '../../pluginserver/plugin-module.js';
import { SYSTEM_CLOCK } from '../../sideband/call-deadline.js';
import { SidebandRuntime } from '../../sideband/sideband-runtime.js';
import { SILENT_TELEMETRY } from '../../telemetry/telemetry.js';
import { KongEnd } from './kong-end.js';
import { CONFIG, REQUESTS, RESPONSE } from './requests.js';

/** More bring little: a function is compiled when it is first called, and made faster only after thousands of calls. */
const ROUNDS = 2;
const NAME = 'warm-up';
const SILENT: ServerLogger = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Sends requests through a plugin server of its own in this process, from Kong's frames to the provider's answer and back, all
 * of it in memory. V8 compiles a function when it is first called and Node reads its root certificates with the first TLS
 * context; otherwise the first requests of a gateway would wait for that. It has instances, telemetry, budget and connections
 * of its own, so nothing of it is seen outside.
 *
 * @param wanted asked before each request; false ends the warm-up
 * @returns how many requests it took
 * @throws Error when one of them was refused
 */
export async function warmUp(wanted: () => boolean): Promise<number> {
  const provider = createPolicyProvider();
  const shared = sharedWith(provider);
  const host = createHost(shared);
  let requests = 0;
  try {
    for (const kinds of REQUESTS) {
      if (!wanted()) break;
      const kong = new KongEnd(connect((end) => host.accept(end)));
      try {
        await kong.start(NAME, CONFIG);
        for (let i = 0; i < ROUNDS * kinds.length && wanted(); i++) {
          const request = kinds[i % kinds.length];
          if (request === undefined) break;
          await kong.event('access', request);
          await kong.event('response', RESPONSE);
          requests++;
          // What Kong has sent meanwhile comes first.
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        kong.close();
      }
    }
    if (wanted()) createSecureContext();
    return requests;
  } finally {
    await shared.sideband.close();
  }
}

/** Permits everything: a payload is also a valid answer. The first call's answer adds a state. */
function createPolicyProvider(): Server {
  return createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const payload = Buffer.concat(chunks);
      if (request.url?.endsWith('/response') === true) response.end(payload);
      else response.end(Buffer.concat([Buffer.from('{"state":{"session":"1"},'), payload.subarray(1)]));
    });
  });
}

function sharedWith(provider: Server): Shared {
  const sideband = new SidebandRuntime(SYSTEM_CLOCK, () => (_options, callback) => {
    const end = connect((far) => provider.emit('connection', far));
    // undici expects no answer before its question is out.
    setImmediate(() => callback(null, end));
  });
  return new Shared(SILENT_TELEMETRY, new MemoryBudget(), sideband);
}

function createHost(shared: Shared): PluginHost {
  class WarmedUpPlugin extends PingAuthPlugin {
    constructor(config: unknown, host?: HostInfo) {
      super(config, host, shared);
    }
  }
  const plugin: PluginModule = {
    Name: NAME,
    Version: '0.0.0',
    Priority: 0,
    Schema: [],
    Plugin: WarmedUpPlugin,
  };
  const instances = new InstanceTable([plugin], SILENT);
  const directory = new InstanceRegistry({ idleMs: DEFAULTS.instanceIdleMs }, instances);
  return new PluginHost({ ...DEFAULTS, bodyDirs: undefined, instances, directory, logger: SILENT });
}

/** A connection in memory: hands one end to the server, and returns the other. Both take of a socket what every stream has. */
function connect(accept: (end: Socket) => void): Socket {
  const [near, far] = duplexPair();
  accept(far as Socket);
  return near as Socket;
}
