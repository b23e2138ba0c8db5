// Which names of headers, members, fields, parameters and elements belong to a credential or a session.

/** Anywhere in a name, its separators left out: `X-Vault-Token`, `db.passwd`, `ASP.NET_SessionId`. */
const STEMS =
  /passw|passwd|passphrase|passcode|passkey|kennwort|motdepasse|contrase|secret(?!ar)|token|credential|apikey|privatekey|jwt|csrf|xsrf|cookie|session|sessid|signature|authorization|authorisation|samlre|samlart|clientassertion|codeverifier|oauthverifier|mnemonic|seedphrase|connectionstring|magiclink|rememberme|senha|wachtwoord|salasana/;

/** Other scripts, of which `wordsOf` sees nothing. */
const FOREIGN_STEMS = /парол|密码|密碼|暗証|パスワード|비밀번호|contraseñ/;

/** Whole words of a name: `otp` must not be found in `footprint`, nor `pass` in `passenger`. */
const WORDS = new Set(
  `pass pwd pw passwd otp totp hotp pin pincode cvv cvc sid sess sig hmac creds cred jwt bearer assertion mfa 2fa tfa`.split(
    /\s+/,
  ),
);

/** The whole name, its separators left out. */
const NAMES = new Set(
  `auth oauth code state key sign dpop requesturi clientcert xforwardedclientcert sslclientcert authenticationinfo
   authheader authdata authvalue authstring authticket refresh x5c relaystate oauthstate authstate authentication userpwd loginticket`.split(
    /\s+/,
  ),
);

/** In front of `code`: a code that lets somebody in, not the one of a country. */
const CODES = new Set(
  `auth authorization authorisation device user verification security access reset recovery backup otp confirmation
   activation invite login sms mfa 2fa pin time`.split(/\s+/),
);

/** In front of `key`: a key that opens nothing. */
const OTHER_KEYS = new Set(
  `public primary foreign sort partition cache routing idempotency row range group map object index hash message
   translation i18n websocket surrogate composite natural candidate parent registry mon tur hoc joc don whis hot`.split(
    /\s+/,
  ),
);

/** Behind a stem: a remark about the credential, not the credential. */
const REMARKS = new Set(
  `type types count length size limit limits expires expiry expiration in at time timeout ttl age endpoint policy
   algorithm alg format required enabled supported valid status version usage method methods`.split(/\s+/),
);

const PARTS = /[a-z]+|\d+[a-z]*/g;
/** Names repeat: those of one configuration's requests fit in many times. */
const MAX_KNOWN = 2000;
const known = new Map<string, boolean>();

/** @param name as it is written; escapes of its format (JSON's, of a URL) are decoded already */
export function isSecretName(name: string): boolean {
  if (name.length > 100) return look(name.slice(-100)) || look(name.slice(0, 100));
  const before = known.get(name);
  if (before !== undefined) return before;
  const found = look(name);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(name, found);
  return found;
}

/**
 * How a member of that name is blanked in JSON, where names are less telling than in a query: `code` and `state` are an
 * error's and an address's more often than OAuth's, so words stay; numbers stay where they count or identify something.
 */
export function exceptionsOf(name: string): { readonly words: boolean; readonly numbers: boolean } {
  const bare = name.toLowerCase().replaceAll(/[^a-z\d]/g, '');
  const isCommon = bare === 'code' || bare === 'state' || bare === 'key';
  return { words: isCommon, numbers: isCommon || bare.includes('tokens') };
}

function look(name: string): boolean {
  if (FOREIGN_STEMS.test(name.normalize('NFKC').toLowerCase())) return true;
  const words = wordsOf(name);
  const bare = words.join('');
  if (NAMES.has(bare) || NAMES.has(bare.replace(/^x/, ''))) return true;
  const last = words.at(-1) ?? '';
  const first = words.at(-2) ?? '';
  if (words.length > 1 && REMARKS.has(last)) return false;
  if (STEMS.test(bare)) return true;
  if (words.some((word) => WORDS.has(word))) return true;
  if (last === 'code' || last === 'codes') return CODES.has(first);
  if (last === 'key') return !OTHER_KEYS.has(first);
  if (last.endsWith('key')) return !OTHER_KEYS.has(last.slice(0, -'key'.length));
  if (last.endsWith('auth')) return true;
  return last.endsWith('pass') && last.length > 4 && !/^(?:com|by|tres|sur|over|under|encom)pass$/.test(last);
}

/** `userAPIKey`, `user_api-key` and `user[api.key]` are the same words. */
function wordsOf(name: string): string[] {
  const spaced = name.replaceAll(/([a-z\d])(?=[A-Z])|([A-Z])(?=[A-Z][a-z])/g, '$& ');
  const words: string[] = spaced.normalize('NFKC').toLowerCase().match(PARTS) ?? [];
  // `key2` is a key.
  while (words.length > 1 && /^\d+$/.test(words.at(-1) ?? '')) words.pop();
  return words;
}
