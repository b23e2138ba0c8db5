import type { KongField } from '../../src/config/kong-field.js';
import { FIELD_NAMES, FIELDS, type FieldName } from '../../src/config/schema.js';

/** One row a field: name, type, default, what it does. */
export function fieldTable(): string {
  const rows = FIELD_NAMES.map((name) => `| ${cells(name).map(escapePipes).join(' | ')} |`);
  return ['| Field | Type | Default | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function cells(name: FieldName): string[] {
  const kong: KongField & { readonly description: string } = FIELDS[name].kong;
  return [`\`${name}\``, typeOf(kong), defaultOf(kong), kong.description + traits(kong)];
}

function typeOf(kong: KongField): string {
  if (kong.one_of) return kong.one_of.map((value) => `\`${value}\``).join(', ');
  if (kong.type === 'array') return 'list of strings';
  if (kong.between) return `integer, ${kong.between[0]} to ${kong.between[1]}`;
  if (kong.gt !== undefined) return `integer above ${kong.gt}`;
  return kong.type;
}

function defaultOf(kong: KongField): string {
  if (kong.required) return '**required**';
  if (kong.default === undefined) return 'unset';
  return `\`${JSON.stringify(kong.default).replaceAll('"', '')}\``;
}

function traits(kong: KongField): string {
  const referenceable = kong.referenceable ?? kong.elements?.referenceable;
  if (referenceable !== true) return '';
  return kong.encrypted
    ? ' *(vault reference possible; encrypted at rest)*'
    : ' *(vault reference possible)*';
}

function escapePipes(cell: string): string {
  return cell.replaceAll('|', '\\|');
}
