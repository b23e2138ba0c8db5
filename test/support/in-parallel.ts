/** Runs `count` jobs, at most `width` at a time; results in order. A job that throws ends it all with its error. */
export async function inParallel<T>(
  width: number,
  count: number,
  job: (index: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < count; index = next++) results[index] = await job(index);
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}
