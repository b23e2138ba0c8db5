import type { KongField } from './kong-field.js';
import { FIELD_NAMES, FIELDS, type FieldName } from './schema.js';

/** The fields of `config` in the form that kong-pdk's `Schema` export and Kong's dump want: a list of single pairs. */
export const KONG_SCHEMA_FIELDS: readonly Readonly<Record<string, KongField>>[] = FIELD_NAMES.map((name) => ({
  [name]: FIELDS[name].kong,
}));

/** Checks between fields, for hosts that have a place for them. */
export const ENTITY_CHECKS: readonly { readonly mutually_required: readonly FieldName[] }[] = [
  { mutually_required: ['client_certificate', 'client_key'] },
];

/**
 * The whole schema for our own dump and kong/schema.lua. It says more than the list above can: the stock host has no
 * place for entity checks, so there only parseConfig makes them.
 */
export const KONG_PLUGIN_SCHEMA = {
  name: 'ping-auth',
  fields: [
    {
      protocols: {
        type: 'set',
        required: true,
        default: ['grpc', 'grpcs', 'http', 'https'],
        elements: { type: 'string', one_of: ['grpc', 'grpcs', 'http', 'https'] },
      },
    },
    {
      config: {
        type: 'record',
        required: true,
        fields: KONG_SCHEMA_FIELDS,
        entity_checks: ENTITY_CHECKS,
      },
    },
  ],
} as const;
