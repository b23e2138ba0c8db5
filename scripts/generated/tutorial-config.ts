import { readFileSync } from 'node:fs';

const GUARD = new URL('../../kong/guard/own-server.yml', import.meta.url);

/** The kong.yml of docs/getting-started.md, with the guard as kong/guard/own-server.yml has it. */
export function tutorialConfig(): string {
  const [, guard = ''] = readFileSync(GUARD, 'utf8').split(/- \|\n/);
  const lines = guard.trimEnd().split('\n');
  return `\`\`\`yaml
_format_version: "3.0"
services:
  - name: orders
    url: http://orders.internal:8080
    routes:
      - name: orders
        paths: [/orders]
    plugins:
      - name: ping-auth
        config:
          service_url: https://pingaccess.example.com:3020
          shared_secret: "{vault://env/ping-auth-secret}"
          secret_header_name: CLIENT-TOKEN
          # ca_certificate: the PEM text of ca.pem, if step 2 needed --ca
      - name: post-function
        config:
          header_filter:
            - |
${lines.map((line) => (line === '' ? '' : `    ${line}`)).join('\n')}
\`\`\``;
}
