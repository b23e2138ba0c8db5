import { PROCESS_RUNTIME, type SidebandRuntime } from '../sideband/sideband-runtime.js';
import { createLog } from '../telemetry/logger.js';
import { createTelemetry, type Telemetry } from '../telemetry/telemetry.js';
import { MemoryBudget } from './memory-budget.js';
import { ShadowLimits } from './shadow-limits.js';

let current: Telemetry | undefined;

/** Where all instances of this process report to. The executable sets it before the first instance; see `telemetry`. */
export function useTelemetry(telemetry: Telemetry): void {
  current = telemetry;
}

/** Under a host that sets nothing (the stock kong-js-pluginserver): JSON lines on standard output, which Kong logs. */
export function telemetry(): Telemetry {
  current ??= createTelemetry(createLog());
  return current;
}

let budget = new MemoryBudget();

/** For all messages in progress in this process; the executable sets it before the first instance. See `MemoryBudget`. */
export function useMemoryBudget(...settings: ConstructorParameters<typeof MemoryBudget>): void {
  budget = new MemoryBudget(...settings);
}

export function memoryBudget(): MemoryBudget {
  return budget;
}

const SHADOWS = new ShadowLimits();

/** What all instances of a process share. */
export class Shared {
  readonly telemetry: Telemetry;
  readonly budget: MemoryBudget;
  readonly sideband: SidebandRuntime;
  readonly shadows: ShadowLimits;

  constructor(
    telemetry: Telemetry,
    budget: MemoryBudget,
    sideband: SidebandRuntime,
    shadows = new ShadowLimits(),
  ) {
    this.telemetry = telemetry;
    this.budget = budget;
    this.sideband = sideband;
    this.shadows = shadows;
  }
}

export function processShared(): Shared {
  return new Shared(telemetry(), budget, PROCESS_RUNTIME, SHADOWS);
}
