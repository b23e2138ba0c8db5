/** A step of work on a large body takes a few milliseconds: nobody else is served in that time. */
export const STEP_BYTES = 1_048_576;

/** Lets the events that are waiting have their turn between two steps. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
