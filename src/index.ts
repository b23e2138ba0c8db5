/**
 * The plugin as a kong-pdk module, for hosts that load plugins from an npm package. The executables
 * `ping-auth-pluginserver` and `ping-auth` stand in dist/bin.
 *
 * The types reachable from here are published alone: they name no other package's types, so nothing has to be installed.
 */
export { ERRORS, type ErrorCode, type ErrorEntry } from './errors/catalogue.js';
export { EntityChecks, Name, Plugin, Priority, Schema, Version } from './plugin/module.js';
export type { PingAuthPlugin } from './plugin/ping-auth-plugin.js';
