import { PingAuthPlugin } from './ping-auth-plugin.js';

/** What kong-pdk's hosts read from a plugin's module. */
export { EntityChecks, Name, Priority, Schema, Version } from './manifest.js';
export const Plugin = PingAuthPlugin;
