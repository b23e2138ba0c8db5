import type { PluginServerSetting } from '../config/kong-conf.js';
import type { PluginSchema } from '../config/plugin-schema.js';
import type { PdkCall } from '../pdk/pdk-method.js';
import type { Phase } from '../request-context.js';

/** What the query command told about the plugin. */
export interface PluginInfo {
  readonly protocol: 'ProtoBuf:1' | 'MsgPack:1';
  readonly name: string;
  readonly version: string;
  readonly priority: number;
  readonly phases: readonly string[];
  readonly schema: PluginSchema;
  readonly server: PluginServerSetting;
}

/** One protocol's way of speaking to a plugin server. */
export interface PluginClient {
  /** @returns the instance's id. @throws RpcError */
  startInstance(name: string, config: string): Promise<number>;
  /** @throws RpcError */
  closeInstance(id: number): Promise<void>;
  /**
   * Runs one phase, answering the plugin's PDK calls.
   * @throws RpcError, PdkError, ExitSignal; the latter two end the event for the plugin too.
   */
  handleEvent(id: number, phase: Phase, call: PdkCall): Promise<void>;
  /** The connections of this client are closed. */
  destroy(): void;
  readonly connections: number;
}
