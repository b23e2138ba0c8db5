import { isIP } from 'node:net';
import { type Route, type Service, WORKSPACE_ID } from '../config/declarative-config.js';
import type { LogLevel } from '../kong-log.js';
import { luaToString, type PdkTable } from './lua-values.js';
import { ANY, type PdkMethod, text } from './pdk-method.js';
import { nginxVariable, REQUEST_METHODS } from './request-methods.js';
import { RESPONSE_METHODS } from './response-methods.js';
import { SERVICE_REQUEST_METHODS } from './service-request-methods.js';

const NODE_ID = '24651098-d642-4819-96b9-145cc3a30983';
const LOADED_AT = Math.floor(Date.now() / 1000);

function any(run: PdkMethod['run']): PdkMethod {
  return { ...ANY, run };
}

function logs(level: LogLevel): PdkMethod {
  return any(({ log, ctx, protocol, plugin }, args) => {
    // Over MsgPack:1 the plugin's own logger writes, with the plugin's name.
    const prefix = protocol === 'mp' ? `[${plugin}] ` : '';
    log.write(level, prefix + args.map(luaToString).join(''), ctx.id);
    return undefined;
  });
}

export const GENERAL_METHODS: Readonly<Record<string, PdkMethod>> = {
  'kong.ctx.shared.get': any(({ ctx }, [key]) => ctx.shared.get(text(key, 'key'))),
  'kong.ctx.shared.set': any(({ ctx }, [key, value]) => {
    const name = text(key, 'key');
    if (value === undefined || value === null) ctx.shared.delete(name);
    else ctx.shared.set(name, Buffer.isBuffer(value) ? value.toString('latin1') : value);
    return undefined;
  }),
  'kong.ip.is_trusted': any(({ ctx }, [address]) => {
    const ip = text(address, 'address');
    return isIP(ip) !== 0 && ctx.trusted(ip);
  }),
  'kong.log.debug': logs('debug'),
  'kong.log.info': logs('info'),
  'kong.log.notice': logs('notice'),
  'kong.log.warn': logs('warn'),
  'kong.log.err': logs('error'),
  'kong.log.crit': logs('crit'),
  'kong.log.alert': logs('alert'),
  'kong.log.set_serialize_value': any(() => undefined),
  'kong.nginx.get_subsystem': any(() => 'http'),
  'kong.nginx.get_var': any(({ ctx }, [name]) => nginxVariable(ctx, text(name, 'name'))),
  'kong.nginx.req_start_time': any(({ ctx }) => ctx.startedAt / 1000),
  'kong.node.get_id': any(() => NODE_ID),
  'kong.router.get_route': any(({ ctx }) => (ctx.route === undefined ? undefined : routeTable(ctx.route))),
  'kong.router.get_service': any(({ ctx }) =>
    ctx.route === undefined ? undefined : serviceTable(ctx.route.service),
  ),
  'kong.client.tls.get_full_client_certificate_chain': any(
    ({ ctx }) => ctx.connection.tls?.clientCertificate,
  ),
};

function routeTable(route: Route): PdkTable {
  return {
    id: route.id,
    ...(route.name === undefined ? {} : { name: route.name }),
    created_at: LOADED_AT,
    updated_at: LOADED_AT,
    protocols: [...route.protocols],
    ...(route.methods.length > 0 ? { methods: [...route.methods] } : {}),
    ...(route.hosts.length > 0 ? { hosts: [...route.hosts] } : {}),
    ...(route.paths.length > 0 ? { paths: [...route.paths] } : {}),
    https_redirect_status_code: 426,
    path_handling: 'v0',
    regex_priority: 0,
    request_buffering: true,
    response_buffering: true,
    ws_id: WORKSPACE_ID,
    strip_path: route.stripPath,
    preserve_host: route.preserveHost,
    service: { id: route.service.id },
  };
}

function serviceTable(service: Service): PdkTable {
  return {
    id: service.id,
    ...(service.name === undefined ? {} : { name: service.name }),
    created_at: LOADED_AT,
    updated_at: LOADED_AT,
    protocol: service.protocol,
    host: service.host,
    port: service.port,
    ...(service.path === undefined ? {} : { path: service.path }),
    connect_timeout: service.connectTimeout,
    write_timeout: service.writeTimeout,
    read_timeout: service.readTimeout,
    retries: service.retries,
    enabled: true,
    ws_id: WORKSPACE_ID,
  };
}

/** Every PDK method the stand-in offers, by its full name. */
export const PDK: ReadonlyMap<string, PdkMethod> = new Map(
  Object.entries({
    ...GENERAL_METHODS,
    ...REQUEST_METHODS,
    ...RESPONSE_METHODS,
    ...SERVICE_REQUEST_METHODS,
  }),
);
