import type { PluginConfig } from '../config/plugin-config.js';
import type { ReadLimits } from '../gateway/gateway.js';
import { type PluginHost, STOCK_HOST } from './host.js';

export function readLimits(config: PluginConfig, host: PluginHost): ReadLimits {
  return {
    readBody: config.send_request_body,
    maxBodyBytes: config.max_request_body_bytes,
    overLimit: config.request_body_over_limit,
    hostLimitsBody: host !== STOCK_HOST,
  };
}
