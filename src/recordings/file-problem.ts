// What is wrong with a file that somebody named, in words.

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  EISDIR: 'it is a folder',
  EEXIST: 'it is there already and is not overwritten',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EMFILE: 'too many files are open',
  ELOOP: 'its links lead back to it',
  ENAMETOOLONG: 'its name is too long',
};

/** Why a file cannot be read or written, without Node's own words: `ENOENT: no such file or directory, open 'x'`. */
export function fileProblem(file: string, thrown: unknown): string {
  const { code } = thrown as NodeJS.ErrnoException;
  const reason = code === undefined ? undefined : (REASONS[code] ?? `error ${code}`);
  return `${file}: ${reason ?? (thrown instanceof Error ? thrown.message : String(thrown))}`;
}

/** Whether it is one of the system's errors about a file. */
export function isFileError(thrown: unknown): boolean {
  return thrown instanceof Error && 'syscall' in thrown && 'code' in thrown;
}
