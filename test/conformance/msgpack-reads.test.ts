import { reads } from './reads.js';

reads('mp');
