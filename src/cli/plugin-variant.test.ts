import { describe, expect, it } from 'vitest';
import * as manifest from '../plugin/manifest.js';
import { dumpOf } from '../pluginserver/dump.js';
import { HOST, type HostInfo, type PluginModule } from '../pluginserver/plugin-module.js';
import { manifestVariant } from './plugin-variant.js';

const calls: string[] = [];
const module: PluginModule = {
  ...{ Name: 'p', Version: '1.2.3', Priority: 1, Schema: [] },
  Plugin: class {
    constructor(
      readonly config: never,
      readonly host: HostInfo | undefined,
    ) {}
    access(kong: unknown) {
      calls.push(`access ${kong} ${JSON.stringify(this.config)} ${this.host?.kind} ${this.host?.phases}`);
    }
    response() {
      calls.push('response');
    }
    close() {
      calls.push('close');
    }
  },
};
const dumped = (plugin: Parameters<typeof dumpOf>[0][number]) =>
  (
    JSON.parse(dumpOf([plugin])) as {
      Plugins: { Name: string; Phases: string[]; Schema: { name: string } }[];
    }
  ).Plugins[0];

describe('the plugin as Kong sees it', () => {
  it('is as it is without options', () => {
    expect(manifestVariant(module, {})).toBe(module);
    expect(dumped(manifestVariant(manifest, { phases: 'access,response' }))).toEqual(dumped(manifest));
  });

  it('can have another name and the access phase only, the same in the dump and when it serves', () => {
    const options = { name: 'ping-auth-access', phases: 'access' } as const;
    const expected = { Name: 'ping-auth-access', Phases: ['access'], Schema: { name: 'ping-auth-access' } };
    expect(dumped(manifestVariant(manifest, options))).toMatchObject(expected);
    expect(dumped(manifestVariant(module, options))).toMatchObject(expected);
  });

  it('works as before in the phase that is left', () => {
    const { Plugin } = manifestVariant(module, { phases: 'access' });
    const plugin = new Plugin({ a: 1 } as never, HOST) as {
      access(kong: string): void;
      close(): void;
    };
    plugin.access('kong');
    plugin.close();
    expect(calls).toEqual(['access kong {"a":1} ping-auth-pluginserver access', 'close']);
    expect('response' in plugin).toBe(false);
  });
});
