import { ENTITY_CHECKS, KONG_SCHEMA_FIELDS } from '../config/kong-schema.js';
import { VERSION } from '../version.js';
import { PingAuthPlugin } from './ping-auth-plugin.js';

/** What kong-pdk's hosts read from a plugin's module. */
export const Name = 'ping-auth';
export const Version = VERSION;
/** The existing plugin's: after authentication, before request transformations and rate limits. */
export const Priority = 999;
export const Schema = KONG_SCHEMA_FIELDS;
export const EntityChecks = ENTITY_CHECKS;
export const Plugin = PingAuthPlugin;
