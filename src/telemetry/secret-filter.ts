const REDACTED = '[redacted]';
/** A shorter one would blank parts of ordinary words all over the log. */
const SHORTEST = 6;

/**
 * The last line of defence for secrets in logs: whatever a module above has overlooked (an error text of a library, an
 * answer of the policy provider that echoes the call), a known secret is blanked in the finished line.
 */
export class SecretFilter {
  readonly #secrets = new Set<string>();

  add(secret: string): void {
    if (secret.length < SHORTEST) return;
    // A PEM key is not likely to be quoted whole.
    for (const line of secret.split(/\r?\n/)) {
      if (line !== secret && line.length >= 20 && !line.startsWith('-----')) this.add(line);
    }
    this.#secrets.add(secret);
    // As it stands inside a JSON string, and inside JSON in a JSON string (a payload quoted in a log line).
    const once = JSON.stringify(secret).slice(1, -1);
    this.#secrets.add(once);
    this.#secrets.add(JSON.stringify(once).slice(1, -1));
    if (isWellFormed(secret)) this.#secrets.add(encodeURIComponent(secret));
  }

  apply(line: string): string {
    let clean = line;
    for (const secret of this.#secrets) {
      if (clean.includes(secret)) clean = clean.replaceAll(secret, REDACTED);
    }
    return clean;
  }
}

function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
