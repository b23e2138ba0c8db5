import { setFlagsFromString } from 'node:v8';

/**
 * On a large machine V8 lets the heap grow to gigabytes before it collects what large bodies left there: far beyond the budget of
 * --max-inflight-bytes (`npm run faults -- --only hostile`). While large bodies are in progress this bounds what is not collected
 * yet to a tenth of the heap. Always on, it would cost every request some 5 % more CPU.
 */
export function boundHeapGrowth(isBounded: boolean): void {
  setFlagsFromString(`--heap-growing-percent=${isBounded ? 10 : 0}`);
}
