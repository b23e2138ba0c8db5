import { GENERAL_METHODS } from './general-methods.js';
import type { PdkMethod } from './pdk-method.js';
import { REQUEST_METHODS } from './request-methods.js';
import { RESPONSE_METHODS } from './response-methods.js';
import { SERVICE_REQUEST_METHODS } from './service-request-methods.js';

/** Every PDK method the stand-in offers, by its full name. */
export const PDK: ReadonlyMap<string, PdkMethod> = new Map(
  Object.entries({
    ...GENERAL_METHODS,
    ...REQUEST_METHODS,
    ...RESPONSE_METHODS,
    ...SERVICE_REQUEST_METHODS,
  }),
);
