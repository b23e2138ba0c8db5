import type { Fault } from '../fault.js';
import { BODY_FAULTS } from './bodies.js';
import { PROCESS_FAULTS } from './processes.js';
import { PROVIDER_FAULTS } from './provider.js';
import { RELOAD_FAULTS } from './reloads.js';
import { RESOURCE_FAULTS } from './resources.js';
import { UPSTREAM_FAULTS } from './upstream.js';

/** In the order in which the campaign injects them. */
export const ALL_FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...PROVIDER_FAULTS,
  ...UPSTREAM_FAULTS,
  ...BODY_FAULTS,
  ...RESOURCE_FAULTS,
  ...RELOAD_FAULTS,
];
