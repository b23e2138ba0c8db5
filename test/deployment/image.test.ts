// There is no container engine in CI: the image's build stage is run in a folder, with exactly the files that it copies.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '../../src/version.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dockerfile = readFileSync(`${root}kong/Dockerfile`, 'utf8').replaceAll('\\\n', ' ');
const instructions = dockerfile.split('\n').filter((line) => /^[A-Z]+ /.test(line));
const buildStage = instructions.slice(
  0,
  instructions.findLastIndex((line) => line.startsWith('FROM')),
);
const imageStage = instructions.slice(buildStage.length);

/** What .dockerignore lets into the build: it leaves everything out but the lines with `!`. */
const context = readFileSync(`${root}.dockerignore`, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('!'))
  .map((line) => line.slice(1));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ping-auth-image-'));
  for (const line of buildStage.filter((line) => line.startsWith('COPY'))) {
    const paths = line.split(' ').slice(1, -1);
    for (const path of paths) {
      expect(context).toContain(path);
      cpSync(`${root}${path}`, join(folder, path), {
        recursive: true,
        filter: (source) => !source.endsWith('.test.ts'),
      });
    }
  }
  // In place of npm ci.
  symlinkSync(`${root}node_modules`, join(folder, 'node_modules'));
  const run = buildStage.find((line) => line.startsWith('RUN npm run build'));
  execFileSync('/bin/sh', ['-c', run?.slice('RUN '.length) ?? 'false'], { cwd: folder, stdio: 'pipe' });
  // Under their names in the image, without extension, in a folder of their own.
  for (const name of ['ping-auth-pluginserver', 'ping-auth'])
    cpSync(join(folder, 'dist/bin', `${name}.mjs`), join(folder, 'installed', name));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the image', () => {
  it('gets Node.js and the two executables, and nothing else', () => {
    const copies = imageStage
      .filter((line) => line.startsWith('COPY'))
      .map((line) => line.split(' ').slice(1));
    expect(copies).toEqual([
      ['--from=build', '/usr/local/bin/node', '/usr/local/bin/node'],
      ['--from=build', '/build/dist/bin/ping-auth-pluginserver.mjs', '/usr/local/bin/ping-auth-pluginserver'],
      ['--from=build', '/build/dist/bin/ping-auth.mjs', '/usr/local/bin/ping-auth'],
    ]);
  });

  it('has executables that need nothing but Node.js', () => {
    for (const name of ['ping-auth-pluginserver', 'ping-auth']) {
      const installed = join(folder, 'installed', name);
      const run = (...args: string[]) =>
        execFileSync(process.execPath, [installed, ...args], { cwd: tmpdir(), env: {}, encoding: 'utf8' });
      expect(run('--version')).toBe(`${VERSION}\n`);
      if (name === 'ping-auth-pluginserver')
        expect(JSON.parse(run('--dump'))).toMatchObject({ Protocol: 'ProtoBuf:1' });
    }
  });

  describe('has commands that run as Kong runs them, without an environment', () => {
    /** With a PATH of these programs alone. */
    const sh = (command: string, programs: Readonly<Record<string, string>>) => {
      const path = mkdtempSync(join(folder, 'path-'));
      for (const [name, file] of Object.entries(programs)) symlinkSync(file, join(path, name));
      return spawnSync('/bin/sh', ['-c', `exec ${command}`], { env: { PATH: path }, encoding: 'utf8' });
    };
    const installed = (name: string) => join(folder, 'installed', name);
    const query = () => `${installed('ping-auth-pluginserver')} --dump`;

    it('with the shell’s own PATH or not at all', () => {
      const { status, stderr } = spawnSync('/bin/sh', ['-c', `exec ${query()}`], {
        env: {},
        encoding: 'utf8',
      });
      const found = spawnSync('/bin/sh', ['-c', 'command -v node'], { env: {} }).status === 0;
      expect({ status, isSilent: stderr === '' }).toEqual({ status: found ? 0 : 127, isSilent: found });
    });

    it('with Node.js in PATH', () => {
      const { stdout, stderr } = sh(query(), { sh: '/bin/sh', node: process.execPath });
      expect(stderr).toBe('');
      expect(JSON.parse(stdout)).toMatchObject({ Protocol: 'ProtoBuf:1' });
    });

    it('with Node.js in front, wherever it is', () => {
      expect(sh(`${process.execPath} ${query()}`, {})).toMatchObject({ status: 0, stderr: '' });
    });

    it('or say that there is no Node.js', () => {
      const { status, stdout, stderr } = sh(query(), { sh: '/bin/sh' });
      expect({ status, stdout }).toEqual({ status: 127, stdout: '' });
      expect(stderr).toMatch(
        /\/ping-auth-pluginserver: there is no node in PATH \(.*\/path-\w+\)\. .*kong\.conf/,
      );
    });

    it.each([[], ['-dump']])('and our tool says that it is no plugin server: %s', (...args) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [installed('ping-auth'), ...args], {
        env: {},
        encoding: 'utf8',
      });
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain('pluginserver_names = ping-auth-server');
    });
  });

  it('runs as Kong’s user', () => {
    expect(imageStage.filter((line) => line.startsWith('USER')).at(-1)).toBe('USER kong');
  });
});
