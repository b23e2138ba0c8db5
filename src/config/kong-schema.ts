import type { KongField } from './kong-field.js';
import { FIELD_NAMES, FIELDS, type FieldName } from './schema.js';

/** The fields of `config` in the form that kong-pdk's `Schema` export and Kong's dump want: a list of single pairs. */
export const KONG_SCHEMA_FIELDS: readonly Readonly<Record<string, KongField>>[] = FIELD_NAMES.map((name) => ({
  [name]: FIELDS[name].kong,
}));

/** Checks between fields. The dump of the stock host has no place for them, so there only parseConfig makes them. */
export const ENTITY_CHECKS: readonly { readonly mutually_required: readonly FieldName[] }[] = [
  { mutually_required: ['client_certificate', 'client_key'] },
  { mutually_required: ['shadow_service_url', 'shadow_shared_secret'] },
];
