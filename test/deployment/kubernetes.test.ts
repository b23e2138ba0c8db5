// Kong's stock image with the executables of an init container: paths of the image, of the values and of Kong's commands agree. Without
// a cluster and a container engine; test/single runs the executables in a folder that was filled in this way.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');

const Mount = z.strictObject({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() });
const Container = z.strictObject({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()).optional(),
  securityContext: z.record(z.string(), z.unknown()),
  volumeMounts: z.array(Mount),
});
/** The keys of the chart kong/kong that these files use; the chart ignores any other one silently. */
const Values = z.strictObject({
  image: z.strictObject({ repository: z.string(), tag: z.string() }),
  env: z.record(z.string(), z.string()),
  customEnv: z.record(z.string(), z.unknown()),
  deployment: z.strictObject({
    initContainers: z.array(Container).optional(),
    sidecarContainers: z.array(Container).optional(),
    userDefinedVolumes: z.array(z.looseObject({ name: z.string() })),
    userDefinedVolumeMounts: z.array(Mount),
  }),
});
const values = (path: string) => Values.parse(parse(read(path)));

describe.each([
  'kong/helm-values.yaml',
  'kong/kubernetes/sidecar-values.yaml',
  'kong/kubernetes/init-container-values.yaml',
])('%s', (path) => {
  it('has only keys of the chart, and mounts only volumes that are there', () => {
    const { deployment } = values(path);
    const { initContainers = [], sidecarContainers = [], userDefinedVolumeMounts } = deployment;
    const mounts = [...initContainers, ...sidecarContainers].flatMap((one) => one.volumeMounts);
    // The chart's own: Kong's prefix.
    const volumes = ['kong-kong-prefix-dir', ...deployment.userDefinedVolumes.map(({ name }) => name)];
    for (const { name } of [...mounts, ...userDefinedVolumeMounts]) expect(volumes).toContain(name);
  });

  it('mounts a folder for the socket that Kong may write', () => {
    const { env, deployment } = values(path);
    const socket = env.pluginserver_ping_auth_server_socket ?? '';
    const mount = deployment.userDefinedVolumeMounts.find((one) => socket.startsWith(`${one.mountPath}/`));
    expect(mount).toMatchObject({ name: 'ping-auth-socket' });
    expect(mount?.readOnly).toBeUndefined();
  });
});

describe('the init container', () => {
  const instructions = read('kong/kubernetes/Dockerfile')
    .split('\n')
    .filter((line) => /^[A-Z]+ /.test(line));
  const lastStage = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM')));
  const { env, image, deployment } = values('kong/kubernetes/init-container-values.yaml');
  const [container] = deployment.initContainers ?? [];
  const command = JSON.parse(lastStage.find((line) => line.startsWith('CMD'))?.slice(4) ?? '[]') as string[];

  it('holds nothing but the two single executables', () => {
    expect(lastStage.filter((line) => /^(COPY|ADD|RUN)/.test(line))).toEqual([
      'COPY --from=build /build/dist/single/ping-auth-pluginserver /build/dist/single/ping-auth /ping-auth/',
    ]);
    const context = read('.dockerignore').split('\n');
    const copied = instructions
      .filter((line) => line.startsWith('COPY') && !line.includes('--from'))
      .flatMap((line) => line.split(' ').slice(1, -1));
    for (const path of copied) expect(context).toContain(`!${path}`);
  });

  it('copies them to where it mounts the volume that Kong mounts there, too', () => {
    expect(command).toEqual([
      'cp',
      '/ping-auth/ping-auth-pluginserver',
      '/ping-auth/ping-auth',
      '/opt/ping-auth/',
    ]);
    // The chart has no command of its own for it, so the image's runs.
    expect(container?.command).toBeUndefined();
    const [mount] = container?.volumeMounts ?? [];
    expect(`${mount?.mountPath}/`).toBe(command.at(-1));
    expect(deployment.userDefinedVolumeMounts).toContainEqual({ ...mount, readOnly: true });
    for (const key of ['start_cmd', 'query_cmd']) {
      const program = env[`pluginserver_ping_auth_server_${key}`]?.split(' ')[0];
      expect(program).toBe(`${mount?.mountPath}/ping-auth-pluginserver`);
    }
  });

  it('stands beside the stock image of Kong, as its user', () => {
    expect(image.repository).toBe('kong');
    expect(lastStage).toContain('USER 1000');
    expect(container?.securityContext).toMatchObject({ runAsUser: 1000, runAsNonRoot: true });
  });
});
