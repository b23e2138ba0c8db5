import { accessEffects } from './access-effects.js';

accessEffects('mp');
