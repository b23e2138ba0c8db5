import type * as z from 'zod';
import type { CONFIG_SCHEMA } from './schema.js';

/**
 * The plugin's configuration as the code sees it, every default filled in. Names are Kong's (snake case): what an admin
 * writes is what a developer reads. What each field means stands with its definition in fields/.
 */
export type PluginConfig = Readonly<z.output<typeof CONFIG_SCHEMA>>;
