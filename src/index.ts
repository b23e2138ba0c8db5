/**
 * The plugin as a kong-pdk module, for hosts that load plugins from an npm package.
 * The executables `ping-auth-pluginserver` and `ping-auth` stand in dist/bin.
 */
export type { PluginConfig } from './config/plugin-config.js';
export { ERRORS, type ErrorCode, type ErrorEntry } from './errors/catalogue.js';
export { EntityChecks, Name, Plugin, Priority, Schema, Version } from './plugin/module.js';
export type { PingAuthPlugin } from './plugin/ping-auth-plugin.js';
