import type { BenchRequest } from './bench-request.js';

/** Kong's end of a plugin server, as lean as it gets: what is measured is the server, not this. */
export interface KongSide {
  /** Access and response phase of one request. @throws Error when the server does anything else than let it pass. */
  request(request: BenchRequest): Promise<void>;
  close(): void;
}

/** Starts one instance of the plugin and opens so many connections with it. */
export type OpenKongSides = (socket: string, config: object, connections: number) => Promise<KongSide[]>;
