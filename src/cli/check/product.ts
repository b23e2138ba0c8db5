/** Which of Ping's products is asked, and what to do in it. Guessed from the URL: the sideband protocol does not say. */
export interface Product {
  readonly name: string;
  readonly remedies: Readonly<
    Record<'refused' | 'secret' | 'api' | 'forbidden' | 'failing' | 'certificate', string>
  >;
}

const PINGACCESS: Product = {
  name: 'PingAccess',
  remedies: {
    refused:
      'PingAccess: set sideband.http.enabled=true in conf/run.properties of every engine and restart it; the port is sideband.http.port (3020 unless changed). Kong: correct the port in service_url if it is another.',
    secret:
      'PingAccess: open the sideband client that stands for this gateway (Applications, Sideband Clients) and add a secret; in the value, replace <client name> with the name of the client. Kong: put it into shared_secret and the name of its header into secret_header_name.',
    api: 'PingAccess: add an application of type API, with the virtual host and path of this URL, that the sideband client serves. Kong: check that service_url ends with the port, without /sideband.',
    forbidden:
      'PingAccess: check the sideband client that stands for this gateway (Applications, Sideband Clients).',
    failing: 'PingAccess: look into log/pingaccess.log for the time of this call.',
    certificate:
      "Kong: put the certificate of PingAccess's sideband listener, or the authority that issued it, into ca_certificate of the plugin. PingAccess: or give the listener a certificate of an authority that is trusted.",
  },
};

const PINGAUTHORIZE: Product = {
  name: 'PingAuthorize',
  remedies: {
    refused:
      'PingAuthorize: check that the server runs and that its HTTPS connection handler with the Sideband API listens on this port. Kong: correct the port in service_url if it is another.',
    secret:
      "PingAuthorize: add a shared secret to the Sideband API HTTP servlet extension (a new one is not used before it is listed there); its Shared Secret Header Name is what secret_header_name has to be. Kong: put the secret's value into shared_secret.",
    api: 'PingAuthorize: add a Sideband API endpoint whose base path matches this URL. Kong: check that service_url is only scheme, host and port.',
    forbidden: 'PingAuthorize: check the access control of the HTTPS connection handler.',
    failing: 'PingAuthorize: look into the error log and the policy decision log for the time of this call.',
    certificate:
      "Kong: put the certificate of PingAuthorize's HTTPS connection handler, or the authority that issued it, into ca_certificate of the plugin.",
  },
};

const PINGONE: Product = {
  name: 'PingOne Authorize',
  remedies: {
    refused:
      'Kong: service_url has to be the service URL that PingOne shows for the API gateway, without a port.',
    secret:
      'PingOne: add a credential to the API gateway (Authorization, API Gateways). Kong: put it, whole, into shared_secret and set secret_header_name to CLIENT-TOKEN.',
    api: 'PingOne: add an API service with a base URL that matches this URL (Authorization, API Services) and deploy it. Kong: check that service_url is the one that PingOne shows for the API gateway, the environment id included.',
    forbidden:
      'PingOne: check that the API gateway belongs to this environment and that its credential is active.',
    failing: 'PingOne: look at the status page of PingOne and at the audit log of the environment.',
    certificate:
      'PingOne has a publicly trusted certificate, so something in between opens the connection: put the authority of that proxy into ca_certificate (Kong, plugin ping-auth), or have it let this host through.',
  },
};

const UNKNOWN: Product = {
  name: 'Policy provider',
  remedies: {
    refused: `${PINGACCESS.remedies.refused} PingAuthorize: check the port of its HTTPS connection handler.`,
    secret:
      'Policy provider: create a new shared secret for this gateway (PingAccess: sideband client; PingAuthorize: Sideband API shared secret; PingOne: API gateway credential). Kong: put it into shared_secret and the name of its header into secret_header_name.',
    api: 'Policy provider: add what protects this URL (PingAccess: API application; PingAuthorize: Sideband API endpoint; PingOne: API service). Kong: check service_url, which must not contain /sideband.',
    forbidden: 'Policy provider: check that this gateway is allowed to use the Sideband API.',
    failing: 'Policy provider: look into its log for the time of this call.',
    certificate:
      'Kong: put the certificate of the policy provider, or the authority that issued it, into ca_certificate of the plugin.',
  },
};

export function productAt(url: URL): Product {
  if (/(^|\.)pingone\.[a-z.]+$/.test(url.hostname)) return PINGONE;
  if (/authorize|paz/.test(url.hostname)) return PINGAUTHORIZE;
  if (url.port === '3020' || /access|^pa[.-]/.test(url.hostname)) return PINGACCESS;
  return UNKNOWN;
}
