import * as z from 'zod';
import { MCP_FIELDS } from './fields/mcp.js';
import { ADMISSION_FIELDS, MESSAGE_FIELDS } from './fields/messages.js';
import { POLICY_FIELDS, RESILIENCE_FIELDS } from './fields/policy.js';
import { PROVIDER_FIELDS, SHADOW_FIELDS, TLS_FIELDS } from './fields/provider.js';
import type { KongField } from './kong-field.js';

/** Every field of the configuration, in the order in which an admin sees them. The one source. */
export const FIELDS = {
  ...PROVIDER_FIELDS,
  ...TLS_FIELDS,
  ...RESILIENCE_FIELDS,
  ...POLICY_FIELDS,
  ...MCP_FIELDS,
  ...MESSAGE_FIELDS,
  ...ADMISSION_FIELDS,
  ...SHADOW_FIELDS,
} as const;

export type FieldName = keyof typeof FIELDS;

export const FIELD_NAMES = Object.keys(FIELDS) as readonly FieldName[];

type Shape = { [Name in FieldName]: (typeof FIELDS)[Name]['zod'] };

const shape = Object.fromEntries(FIELD_NAMES.map((name) => [name, FIELDS[name].zod])) as Shape;

/** Checks each field by itself; what concerns several fields is in parse-config.ts. Unknown keys are dropped. */
export const CONFIG_SCHEMA = z.object(shape);

/**
 * The plugin's configuration as the code sees it, every default filled in. Names are Kong's (snake case): what an admin
 * writes is what a developer reads. What each field means stands with its definition in fields/.
 */
export type PluginConfig = Readonly<z.output<typeof CONFIG_SCHEMA>>;

/** The fields of `config` in the form that kong-pdk's `Schema` export and Kong's dump want: a list of single pairs. */
export const KONG_SCHEMA_FIELDS: readonly Readonly<Record<string, KongField>>[] = FIELD_NAMES.map((name) => ({
  [name]: FIELDS[name].kong,
}));

/** Checks between fields. The dump of the stock host has no place for them, so there only parseConfig makes them. */
export const ENTITY_CHECKS: readonly { readonly mutually_required: readonly [FieldName, FieldName] }[] = [
  { mutually_required: ['client_certificate', 'client_key'] },
  { mutually_required: ['shadow_service_url', 'shadow_shared_secret'] },
];
