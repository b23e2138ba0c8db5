/** Who runs the plugin: our own plugin server over ProtoBuf:1, or the stock one of kong-pdk over MsgPack:1. */
export type Host = 'ping-auth-pluginserver' | 'kong-js-pluginserver';

/**
 * What the stock host cannot do in reasonable time, so that it gets less of it. Its reader puts all chunks of a message
 * together again for each one that arrives (5 MB: half a minute), and each PDK call is a round trip of its own.
 */
export const LARGE_BODY_KB: Readonly<Record<Host, number>> = {
  'ping-auth-pluginserver': 5 * 1024,
  'kong-js-pluginserver': 300,
};
export const MANY_REQUESTS: Readonly<Record<Host, number>> = {
  'ping-auth-pluginserver': 400,
  'kong-js-pluginserver': 120,
};

/** Every end-to-end suite runs once for each of these. */
export const HOSTS: readonly Host[] = ['ping-auth-pluginserver', 'kong-js-pluginserver'];
