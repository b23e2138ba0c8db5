/** What the server needs to write its log; pino's loggers fit. Fields never hold configurations or bodies. */
export interface ServerLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
