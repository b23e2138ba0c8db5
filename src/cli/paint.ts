type Stroke = (text: string) => string;

export interface Paint {
  readonly bold: Stroke;
  readonly dim: Stroke;
  readonly red: Stroke;
  readonly green: Stroke;
  readonly yellow: Stroke;
}

const plain: Stroke = (text) => text;
const PLAIN: Paint = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain };

const stroke =
  (on: number, off: number): Stroke =>
  (text) =>
    `\u001b[${on}m${text}\u001b[${off}m`;
const COLOURED: Paint = {
  bold: stroke(1, 22),
  dim: stroke(2, 22),
  red: stroke(31, 39),
  green: stroke(32, 39),
  yellow: stroke(33, 39),
};

/** Colours for a terminal only, and none with NO_COLOR; `wanted` (from --color, --no-color) overrules both. */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
  wanted: boolean | undefined,
): Paint {
  const isColoured = wanted ?? (stream.isTTY === true && !environment.NO_COLOR);
  return isColoured ? COLOURED : PLAIN;
}
