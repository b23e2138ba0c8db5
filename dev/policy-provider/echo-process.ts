import { createAuthority } from '../certificates.js';
import { startEchoProvider } from './echo.js';

// What startEchoProcess() starts; the argument is its options.
const { secure, answers } = JSON.parse(process.argv[2] ?? '{}');
const authority = secure === true ? await createAuthority() : undefined;
const tls = authority === undefined ? {} : { tls: await authority.issue() };
const { url } = await startEchoProvider({ answers, ...tls });
process.send?.({ url, ...(authority && { ca: authority.cert }) });
process.on('disconnect', () => process.exit());
