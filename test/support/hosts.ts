/** Who runs the plugin: our own plugin server over ProtoBuf:1, or the stock one of kong-pdk over MsgPack:1. */
export type Host = 'ping-auth-pluginserver' | 'kong-js-pluginserver';

/** Every end-to-end suite runs once for each of these. */
export const HOSTS: readonly Host[] = ['ping-auth-pluginserver'];
