import { ENTITY_CHECKS, KONG_SCHEMA_FIELDS } from '../config/schema.js';
import { VERSION } from '../version.js';

/** What Kong has to know at its start; loaded without the plugin's code, so that `--dump` is quick. */
export const Name = 'ping-auth';
export const Version = VERSION;
/** The existing plugin's: after authentication, before request transformations and rate limits. */
export const Priority = 999;
export const Phases = ['access', 'response'] as const;
export const Schema = KONG_SCHEMA_FIELDS;
export const EntityChecks: readonly { readonly mutually_required: readonly string[] }[] = ENTITY_CHECKS;
