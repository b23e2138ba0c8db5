/** Limits that hold when the command line says nothing else. */
export const DEFAULTS = Object.freeze({
  maxFrameBytes: 64 * 1024 * 1024,
  maxBodyBytes: 16 * 1024 * 1024,
  maxEvents: 4096,
  maxConnections: 8192,
  eventTimeoutMs: 55_000,
  graceMs: 10_000,
  instanceIdleMs: 24 * 60 * 60 * 1000,
  socketMode: 0o660,
  kongPrefix: '/usr/local/kong',
});
