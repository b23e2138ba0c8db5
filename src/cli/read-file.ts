import { readFile } from 'node:fs/promises';
import { fileProblem } from '../recordings/file-problem.js';

/** `-` is standard input. @param option that names the file, for the error. @throws Error in words */
export async function readTextFile(file: string, option?: string): Promise<string> {
  try {
    return await readFile(file === '-' ? '/dev/stdin' : file, 'utf8');
  } catch (thrown) {
    const where = option === undefined ? '' : `${option} `;
    throw new Error(`${where}${fileProblem(file, thrown)}`, { cause: thrown });
  }
}
