import { type PluginManifest, type PluginModule, phasesOf } from './plugin-module.js';

const PROTOCOL = 'ProtoBuf:1';
/** What the server can serve; without a rule of its own Kong would attach the plugin to TCP routes as well. */
const PROTOCOLS = ['grpc', 'grpcs', 'http', 'https'];
/**
 * With a response phase Kong cannot ask a gRPC upstream: each call ends with 500 (seen on Kong 3.9.3). The other two stay allowed: they
 * were the default before, so databases and decK files hold them, and a data plane would refuse such a configuration as a whole.
 */
const PROTOCOLS_WITH_RESPONSE = ['http', 'https'];

/** The one line of JSON that Kong's `query_cmd` reads. Kong 3.9 takes the first plugin only. */
export function dumpOf(plugins: readonly (PluginModule | PluginManifest)[]): string {
  return JSON.stringify({
    Protocol: PROTOCOL,
    Plugins: plugins.map((plugin) => ({
      Name: plugin.Name,
      Version: plugin.Version,
      Priority: plugin.Priority,
      Phases: phasesOf(plugin),
      Schema: kongSchemaOf(plugin),
    })),
  });
}

/** The plugin's schema as Kong wants it. */
export function kongSchemaOf(plugin: PluginModule | PluginManifest): object {
  const config = {
    type: 'record',
    fields: plugin.Schema,
    ...(plugin.EntityChecks === undefined ? {} : { entity_checks: plugin.EntityChecks }),
  };
  const protocols = {
    type: 'set',
    required: true,
    default: phasesOf(plugin).includes('response') ? PROTOCOLS_WITH_RESPONSE : PROTOCOLS,
    elements: { type: 'string', one_of: PROTOCOLS },
  };
  return { name: plugin.Name, fields: [{ protocols }, { config }] };
}
