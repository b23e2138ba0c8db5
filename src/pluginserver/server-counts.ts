/** What happened in this process since it started; for whoever makes metrics of it. */
export class ServerCounts {
  /** Events (one phase of one request) that were begun. */
  events = 0;
  /** Events that this server ended with 500 because the plugin did not end them. */
  eventsFailed = 0;
  /** Events that were ended with 503 because there were too many. */
  eventsRefused = 0;
  /** Connections that were closed so that Kong sends a configuration anew. */
  instancesUnknown = 0;
  /** Connections that were closed because of bytes that Kong does not send. */
  protocolErrors = 0;
}
