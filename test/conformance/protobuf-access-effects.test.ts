import { accessEffects } from './access-effects.js';

accessEffects('pb');
