import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { PluginServerSetting } from '../config/kong-conf.js';
import type { PluginSchema } from '../config/plugin-schema.js';
import type { PluginInfo } from '../rpc/plugin-client.js';

/** Kong would not start: the query command failed or its output is not what Kong takes. */
export class QueryCommandError extends Error {
  override readonly name = 'QueryCommandError';
}

const pluginSchema = z.object({
  Name: z.string().min(1),
  Version: z.string().regex(/^\d+\.\d+\.\d+/, 'not x.y.z'),
  Priority: z.number().int(),
  Phases: z.array(z.string()),
  Schema: z.record(z.string(), z.unknown()),
});

const answerSchema = z.object({
  Protocol: z.enum(['ProtoBuf:1', 'MsgPack:1']).default('MsgPack:1'),
  Plugins: z.array(pluginSchema).min(1),
});

/** Runs the command through a shell, as Kong's `io.popen` does, and takes the first plugin. @throws QueryCommandError */
export async function queryPlugin(server: PluginServerSetting): Promise<PluginInfo> {
  const command = server.queryCommand ?? '';
  let output: string;
  try {
    ({ stdout: output } = await promisify(execFile)('/bin/sh', ['-c', command], { maxBuffer: 1 << 24 }));
  } catch (error) {
    throw new QueryCommandError(`query_cmd of ${server.name} failed: ${String(error)}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(output);
  } catch {
    throw new QueryCommandError(
      `query_cmd of ${server.name}: stdout is not one JSON document: ${output.slice(0, 200)}`,
    );
  }
  // A bare list is the old form, which means MsgPack.
  const parsed = answerSchema.safeParse(Array.isArray(json) ? { Plugins: json } : json);
  if (!parsed.success) {
    throw new QueryCommandError(`query_cmd of ${server.name}: ${z.prettifyError(parsed.error)}`);
  }
  const [plugin] = parsed.data.Plugins;
  if (plugin === undefined) throw new QueryCommandError(`query_cmd of ${server.name}: no plugin`);
  return {
    protocol: parsed.data.Protocol,
    name: plugin.Name,
    version: plugin.Version,
    priority: plugin.Priority,
    phases: plugin.Phases,
    schema: plugin.Schema as PluginSchema,
    server,
  };
}
