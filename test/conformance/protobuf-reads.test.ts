import { reads } from './reads.js';

reads('pb');
