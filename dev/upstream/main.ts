import { Command } from 'commander';
import { startUpstream } from './server.js';

const flags = new Command('upstream')
  .description('An API for development: it shows what reached it.')
  .option('--port <number>', 'HTTP port; 0: any free one', '9000')
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .parse()
  .opts<{ port: string; host: string }>();

startUpstream({ port: Number(flags.port), host: flags.host }).then(
  (upstream) => {
    console.log(`development upstream on ${upstream.url}`);
    const stop = () => upstream.close().then(() => process.exit(0));
    process.on('SIGTERM', stop).on('SIGINT', stop).on('disconnect', stop);
    process.send?.({ url: upstream.url });
  },
  (error: NodeJS.ErrnoException) => {
    const taken = `port ${flags.port} is taken; choose another with --port`;
    console.error(`upstream: ${error.code === 'EADDRINUSE' ? taken : error.message}`);
    process.exitCode = 1;
    process.disconnect?.();
  },
);
