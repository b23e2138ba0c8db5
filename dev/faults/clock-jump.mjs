// Loaded into the plugin server with --import, by the campaign only: SIGUSR2 makes the wall clock jump, a day ahead, a day
// back, and home again. Clocks that never jump (performance.now) are left alone, as by a real jump.
const DAY_MS = 86_400_000;
const OFFSETS = [0, DAY_MS, -DAY_MS];
let jumps = 0;
const offset = () => OFFSETS[jumps % OFFSETS.length] ?? 0;

const RealDate = Date;
class JumpingDate extends RealDate {
  constructor(...parameters) {
    if (parameters.length === 0) super(RealDate.now() + offset());
    else super(...parameters);
  }
  static now() {
    return RealDate.now() + offset();
  }
}
globalThis.Date = JumpingDate;
process.on('SIGUSR2', () => {
  jumps++;
});
