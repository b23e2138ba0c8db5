import { createHash } from 'node:crypto';

/** The one workspace of an open-source Kong. */
export const WORKSPACE_ID = '0dc6f45b-8f8d-40d2-a504-473544ee190b';

export interface Service {
  readonly id: string;
  readonly name: string | undefined;
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
  readonly retries: number;
  readonly connectTimeout: number;
  readonly writeTimeout: number;
  readonly readTimeout: number;
}

export interface Route {
  readonly id: string;
  readonly name: string | undefined;
  readonly hosts: readonly string[];
  readonly paths: readonly string[];
  readonly methods: readonly string[];
  readonly protocols: readonly string[];
  readonly stripPath: boolean;
  readonly preserveHost: boolean;
  readonly service: Service;
}

/** One entry under `plugins`; the ids of its scope are unset for a global one. */
export interface PluginConfig {
  readonly id: string;
  readonly name: string;
  readonly instanceName: string | undefined;
  readonly enabled: boolean;
  readonly routeId: string | undefined;
  readonly serviceId: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface Entities {
  readonly services: readonly Service[];
  readonly routes: readonly Route[];
  readonly plugins: readonly PluginConfig[];
}

/** Ids of a declarative config follow from the names, so that they survive a reload. */
export function entityId(...parts: readonly string[]): string {
  const hash = createHash('sha1').update(parts.join('\0')).digest();
  hash.writeUInt8(((hash[6] ?? 0) & 0x0f) | 0x50, 6);
  hash.writeUInt8(((hash[8] ?? 0) & 0x3f) | 0x80, 8);
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}
