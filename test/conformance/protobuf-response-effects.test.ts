import { responseEffects } from './response-effects.js';

responseEffects('pb');
