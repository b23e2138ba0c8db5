/** Where something stands in a text: offsets of its first byte and behind its last one. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a JSON text byte by byte, so that a large one can be read in steps. It accepts exactly what JSON.parse accepts, up to a
 * depth, and builds no values: it says where members of the outermost object stand.
 */
export class JsonScanner {
  /** The values of wanted members, without the blanks around them. Of a name that occurs twice the last one counts. */
  readonly members = new Map<string, Span>();
  readonly #bytes: Buffer;
  readonly #wanted: ReadonlySet<string>;
  /** By depth: whether the container is an object. */
  readonly #isObject: Uint8Array;
  #at = 0;
  #state = VALUE;
  #depth = 0;
  #isName = false;
  /** Of the member that is being read, if its container is the outermost object. */
  #nameStart = 0;
  #nameEnd = 0;
  #fault: 'no JSON' | 'too deep' | undefined;

  /**
   * @param bytes valid UTF-8
   * @param maxDepth of containers in containers
   * @param wanted names of members, of at most 20 characters
   */
  constructor(bytes: Buffer, maxDepth: number, wanted: ReadonlySet<string>) {
    this.#bytes = bytes;
    this.#wanted = wanted;
    this.#isObject = new Uint8Array(maxDepth + 1);
  }

  /** Whether the text is an object. */
  get isObject(): boolean {
    return this.#isObject[1] === 1;
  }

  /** Bytes that were read. */
  get at(): number {
    return this.#at;
  }

  /** When `read` has returned false: what is wrong with the text. */
  get fault(): 'no JSON' | 'too deep' | undefined {
    const isWhole =
      this.#depth === 0 && (this.#state === AFTER_VALUE || ENDS_OF_NUMBERS.includes(this.#state));
    return this.#fault ?? (isWhole ? undefined : 'no JSON');
  }

  /**
   * Reads so many bytes, and on to where a string may be cut: neither in an escape nor in a character.
   * @returns false at the end of the text, or where it is no JSON any more
   */
  read(count: number): boolean {
    const { length } = this.#bytes;
    this.#scan(Math.min(this.#at + count, length));
    while (this.#fault === undefined && this.#at < length && this.#mustNotBeCut) this.#scan(this.#at + 1);
    return this.#fault === undefined && this.#at < length;
  }

  get #mustNotBeCut(): boolean {
    const isEscape = this.#state >= ESCAPE && this.#state <= LAST_HEX_DIGIT;
    return isEscape || ((this.#bytes[this.#at] ?? 0) & 0xc0) === 0x80;
  }

  #scan(until: number): void {
    const bytes = this.#bytes;
    let state = this.#state;
    for (let at = this.#at; at < until; at++) {
      state = NEXT_STATES[(state << 8) | (bytes[at] ?? 0)] ?? NONE;
      if (state >= FIRST_ACTION) state = this.#act(state, at);
      if (state === NONE) {
        this.#fault ??= 'no JSON';
        return;
      }
    }
    this.#state = state;
    this.#at = until;
  }

  /** Where state and byte alone do not decide what comes next. */
  #act(action: number, at: number): number {
    const isMember = this.#depth === 1 && this.#isObject[1] === 1;
    switch (action) {
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        this.#depth += 1;
        if (this.#depth === this.#isObject.length) {
          this.#fault = 'too deep';
          return NONE;
        }
        this.#isObject[this.#depth] = action === OPEN_OBJECT ? 1 : 0;
        return action === OPEN_OBJECT ? FIRST_NAME : FIRST_ITEM;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        if (this.#depth === 0 || (this.#isObject[this.#depth] === 1) !== (action === CLOSE_OBJECT))
          return NONE;
        if (isMember) this.#endMember(at);
        this.#depth -= 1;
        return AFTER_VALUE;
      case COMMA:
        if (this.#depth === 0) return NONE;
        if (isMember) this.#endMember(at);
        return this.#isObject[this.#depth] === 1 ? NAME : VALUE;
      case OPEN_NAME:
        this.#isName = true;
        if (isMember) this.#nameStart = at;
        return STRING;
      default: {
        const isName = this.#isName;
        this.#isName = false;
        if (isName && isMember) this.#nameEnd = at + 1;
        return isName ? AFTER_NAME : AFTER_VALUE;
      }
    }
  }

  #endMember(at: number): void {
    const [start, end] = [this.#nameStart, this.#nameEnd];
    this.#nameEnd = 0;
    // An empty object has no member.
    if (end === 0 || end - start > MAX_NAME_BYTES) return;
    const name = JSON.parse(this.#bytes.toString('utf8', start, end)) as string;
    if (!this.#wanted.has(name)) return;
    const value = { start: this.#bytes.indexOf(COLON, end) + 1, end: at };
    while (isBlank(this.#bytes[value.start])) value.start += 1;
    while (isBlank(this.#bytes[value.end - 1])) value.end -= 1;
    this.members.set(name, value);
  }
}

/** A name of 20 characters, each of them escaped. */
const MAX_NAME_BYTES = 122;

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

const COLON = 0x3a;
const NONE = 0;
const VALUE = 1;
const FIRST_ITEM = 2;
const FIRST_NAME = 3;
const NAME = 4;
const AFTER_NAME = 5;
const AFTER_VALUE = 6;
const STRING = 7;
const ESCAPE = 8;
const FIRST_HEX_DIGIT = 9;
const LAST_HEX_DIGIT = 12;
const MINUS = 13;
const ZERO = 14;
const INTEGER = 15;
const POINT = 16;
const FRACTION = 17;
const EXPONENT_START = 18;
const EXPONENT_SIGN = 19;
const EXPONENT = 20;
/** Of `true`, `false` and `null`: a state for each letter but the last. */
const FIRST_LETTER = 21;
const FIRST_ACTION = 32;
const OPEN_OBJECT = 32;
const OPEN_ARRAY = 33;
const CLOSE_OBJECT = 34;
const CLOSE_ARRAY = 35;
const COMMA = 36;
const OPEN_NAME = 37;
const END_OF_STRING = 38;

const ENDS_OF_NUMBERS: readonly number[] = [ZERO, INTEGER, FRACTION, EXPONENT];
const DIGITS = '0123456789';
const BLANKS = ' \t\n\r';

/** The next state, or what to do, by state and byte. */
const NEXT_STATES = nextStates();

function nextStates(): Uint8Array {
  const table = new Uint8Array(FIRST_ACTION << 8);
  const on = (states: readonly number[], characters: string, next: number): void => {
    for (const state of states) {
      for (const character of characters) table[(state << 8) | character.charCodeAt(0)] = next;
    }
  };
  for (const state of [VALUE, FIRST_ITEM, FIRST_NAME, NAME, AFTER_NAME, AFTER_VALUE])
    on([state], BLANKS, state);
  const values = [VALUE, FIRST_ITEM];
  on(values, '{', OPEN_OBJECT);
  on(values, '[', OPEN_ARRAY);
  on([FIRST_ITEM], ']', CLOSE_ARRAY);
  on([FIRST_NAME], '}', CLOSE_OBJECT);
  on([FIRST_NAME, NAME], '"', OPEN_NAME);
  on([AFTER_NAME], ':', VALUE);

  const ends = [AFTER_VALUE, ...ENDS_OF_NUMBERS];
  on(ends, BLANKS, AFTER_VALUE);
  on(ends, ',', COMMA);
  on(ends, '}', CLOSE_OBJECT);
  on(ends, ']', CLOSE_ARRAY);

  on(values, '"', STRING);
  table.fill(STRING, (STRING << 8) + 0x20, (STRING + 1) << 8);
  on([STRING], '"', END_OF_STRING);
  on([STRING], '\\', ESCAPE);
  on([ESCAPE], '"\\/bfnrt', STRING);
  on([ESCAPE], 'u', FIRST_HEX_DIGIT);
  for (let digit = FIRST_HEX_DIGIT; digit <= LAST_HEX_DIGIT; digit++) {
    on([digit], `${DIGITS}abcdefABCDEF`, digit === LAST_HEX_DIGIT ? STRING : digit + 1);
  }

  on(values, '-', MINUS);
  on([...values, MINUS], DIGITS, INTEGER);
  on([...values, MINUS], '0', ZERO);
  on([INTEGER], DIGITS, INTEGER);
  on([ZERO, INTEGER], '.', POINT);
  on([POINT, FRACTION], DIGITS, FRACTION);
  on([ZERO, INTEGER, FRACTION], 'eE', EXPONENT_START);
  on([EXPONENT_START], '+-', EXPONENT_SIGN);
  on([EXPONENT_START, EXPONENT_SIGN, EXPONENT], DIGITS, EXPONENT);

  let letter = FIRST_LETTER;
  for (const word of ['true', 'false', 'null']) {
    on(values, word.slice(0, 1), letter);
    for (const [at, next] of [...word].slice(1).entries()) {
      on([letter], next, at === word.length - 2 ? AFTER_VALUE : letter + 1);
      letter += 1;
    }
  }
  return table;
}
