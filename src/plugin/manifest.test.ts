import { expect, it } from 'vitest';
import { dumpOf } from '../pluginserver/dump.js';
import { phasesOf } from '../pluginserver/plugin-module.js';
import * as manifest from './manifest.js';
import * as module from './module.js';

it('says of the plugin what the plugin itself says', () => {
  expect(manifest.Phases).toEqual(phasesOf(module));
  expect(JSON.parse(dumpOf([manifest]))).toEqual(JSON.parse(dumpOf([module])));
});
