/** The environment variable that names the file in which the test files leave their counts for report.ts. */
export const COUNTS_FILE = 'CONFORMANCE_COUNTS_FILE';
