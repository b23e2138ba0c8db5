import type { Field } from '../../src/config/field.js';
import type { KongField } from '../../src/config/kong-field.js';
import { FIELD_NAMES, FIELDS, type FieldName } from '../../src/config/schema.js';

/** One row a field: name, type, default, what it does. */
export function fieldTable(): string {
  const rows = FIELD_NAMES.map((name) => `| ${cells(name).map(escapePipes).join(' | ')} |`);
  return ['| Field | Type | Default | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function cells(name: FieldName): string[] {
  const { kong, text = kong.description }: Field = FIELDS[name];
  return [`\`${name}\``, typeOf(kong), defaultOf(kong), text.replaceAll('\n\n', '<br><br>') + traits(kong)];
}

function typeOf(kong: KongField): string {
  if (kong.one_of) return kong.one_of.map((value) => `\`${value}\``).join(', ');
  if (kong.type === 'array') return 'list of strings';
  if (kong.between) return `integer, ${kong.between[0]} to ${kong.between[1]}`;
  if (kong.gt !== undefined) return `integer above ${kong.gt}`;
  return kong.type;
}

function defaultOf(kong: KongField): string {
  const value =
    kong.default === undefined ? 'unset' : `\`${JSON.stringify(kong.default).replaceAll('"', '')}\``;
  if (!kong.required) return value;
  return kong.default === undefined ? '**required**' : `${value}, **required**`;
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
