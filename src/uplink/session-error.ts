// What can go wrong on the way to a broker, in words that say what to do. Node, OpenSSL and MQTT name their errors by
// codes; the tables here turn each into one sentence with the place named and the config key to look at.

import { FerruleError, messageOf } from '../core/errors.js';

/** Why there is no session. */
export type SessionTrouble =
  | 'refused' // nobody listens there
  | 'unknown-host' // the name does not resolve
  | 'unreachable' // no route, host down
  | 'timeout'
  | 'tls' // certificate or handshake
  | 'not-mqtt' // something else answered
  | 'version' // the broker does not speak this version of MQTT
  | 'credentials' // user name, password, client certificate or permission
  | 'client-id'
  | 'redirected' // the broker sends us elsewhere
  | 'will-retain' // it keeps no retained messages, and refuses our last will for that
  | 'will-qos' // it takes QoS 0 only, and refuses our last will for that
  | 'rejected' // the broker said no for another reason
  | 'closed' // the connection was closed before there was a session
  | 'aborted'; // we gave up ourselves

/** Thrown by `openSession`. The message names the broker, what happened and the way out. */
export class SessionError extends FerruleError {
  readonly trouble: SessionTrouble;

  constructor(trouble: SessionTrouble, message: string, options?: { cause?: unknown }) {
    super(`session-${trouble}`, message, options);
    this.trouble = trouble;
  }
}

type Row = readonly [trouble: SessionTrouble, words: string];

const TIME_SYNC = 'is the clock of this machine right?';
const OWN_CA = 'if the broker has a certificate of your own authority, name that in mqtt.ca';

const SOCKET_ERRORS: Readonly<Record<string, Row>> = {
  ECONNREFUSED: ['refused', 'connection refused: no broker listens there; is it running, is the port right?'],
  ENOTFOUND: ['unknown-host', 'the host name is not known; check mqtt.url and the DNS of this machine'],
  EAI_AGAIN: ['unknown-host', 'the host name could not be looked up; is the network up, does DNS answer?'],
  EHOSTUNREACH: ['unreachable', 'no route to that host; is it on, is the network up?'],
  ENETUNREACH: ['unreachable', 'no route to that network; is the network up?'],
  EADDRNOTAVAIL: ['unreachable', 'no address of this machine reaches it; is the network up?'],
  ETIMEDOUT: ['timeout', 'no answer; is the address right, does a firewall drop it?'],
  ECONNRESET: ['closed', 'it broke the connection; does this port expect TLS (mqtts://) or not (mqtt://)?'],
  EPIPE: ['closed', 'it closed the connection; does this port expect TLS (mqtts://) or not (mqtt://)?'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['tls', `its certificate is self-signed; name it in mqtt.ca`],
  SELF_SIGNED_CERT_IN_CHAIN: ['tls', `its certificate comes from an unknown authority; ${OWN_CA}`],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['tls', `its certificate cannot be verified; ${OWN_CA}`],
  UNABLE_TO_GET_ISSUER_CERT: ['tls', `the issuer of its certificate is unknown; ${OWN_CA}`],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['tls', `the issuer of its certificate is unknown; ${OWN_CA}`],
  CERT_HAS_EXPIRED: ['tls', `its certificate has expired; renew it; ${TIME_SYNC}`],
  CERT_NOT_YET_VALID: ['tls', `its certificate is not valid yet; ${TIME_SYNC}`],
  ERR_TLS_CERT_ALTNAME_INVALID: ['tls', 'its certificate is for another name; use that name in mqtt.url'],
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: [
    'tls',
    'it wants a client certificate; name one in mqtt.cert and mqtt.key',
  ],
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: ['tls', 'it does not know the authority of our client certificate; check mqtt.cert'],
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: [
    'tls',
    `it says our client certificate has expired; renew mqtt.cert; ${TIME_SYNC}`,
  ],
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: ['tls', 'it says our client certificate is revoked; replace mqtt.cert'],
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: ['tls', 'mqtt.key is not the private key of mqtt.cert'],
  ERR_SSL_WRONG_VERSION_NUMBER: ['tls', 'it does not answer in TLS; is it the port for mqtt:// instead?'],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['tls', 'it does not answer in TLS; is it the port for mqtt:// instead?'],
};

// MQTT 3.1.1 section 3.2.2.3 (1 to 5) and MQTT 5 section 3.2.2.2 (from 128 on).
const CREDENTIALS = 'check mqtt.username and mqtt.password, and what the broker allows this user';
const CONNACK_CODES: Readonly<Record<number, Row>> = {
  1: ['version', 'the broker does not speak this version of MQTT; set mqtt.version to 4 (or 5)'],
  2: ['client-id', 'the broker does not accept the client id; check mqtt.client_id'],
  3: ['rejected', 'the broker is not available just now'],
  4: ['credentials', `bad user name or password; ${CREDENTIALS}`],
  5: ['credentials', `not authorized; ${CREDENTIALS}`],
  132: ['version', 'the broker does not speak MQTT 5; set mqtt.version: 4'],
  133: ['client-id', 'the broker does not accept the client id; check mqtt.client_id'],
  134: ['credentials', `bad user name or password; ${CREDENTIALS}`],
  135: ['credentials', `not authorized; ${CREDENTIALS}`],
  138: ['credentials', 'the broker has banned this client'],
  140: ['credentials', `bad authentication method; ${CREDENTIALS}`],
  154: ['will-retain', 'the broker keeps no retained messages'],
  155: ['will-qos', 'the broker takes QoS 0 only'],
};
const REDIRECTS: ReadonlySet<number> = new Set([156, 157]);
const MAX_QUOTED = 200;

/** What a broker gives with a reason code: its name in MQTT, and properties of MQTT 5. */
export interface BrokerReason {
  readonly code: number;
  readonly name?: string | undefined;
  /** The broker's own words. */
  readonly text?: string | undefined;
  /** Where it sends us. */
  readonly server?: string | undefined;
}

/** Turns whatever failed while connecting into a SessionError; one that is already one stays as it is. */
export function sessionErrorOf(error: unknown, broker: string): SessionError {
  if (error instanceof SessionError) return error;
  const code = codeOf(error);
  const [trouble, words] = SOCKET_ERRORS[code] ?? unlisted(code, error);
  return new SessionError(trouble, `broker ${broker}: ${words}`, { cause: error });
}

/** The error for a CONNACK that says no. */
export function refusalOf(reason: BrokerReason, broker: string): SessionError {
  const { code, name } = reason;
  if (isRedirect(code)) return new SessionError('redirected', `broker ${broker}: ${redirectWords(reason)}`);
  const [trouble, words] = CONNACK_CODES[code] ?? ['rejected', `the broker says no: ${name || 'no reason given'}`];
  return new SessionError(trouble, `broker ${broker}: ${words} ${codeWords(reason)}`);
}

/** True for the reason codes that send us to another server. */
export function isRedirect(code: number): boolean {
  return REDIRECTS.has(code);
}

/**
 * A redirect, in words. It is not followed: whoever can answer in the broker's place could send a gateway with its password
 * anywhere.
 */
export function redirectWords(reason: BrokerReason): string {
  const where = reason.server === undefined ? 'another server, without saying which' : quoted(reason.server);
  return `the broker sends us to ${where} ${codeWords(reason)}; Ferrule does not follow: if that is right, change mqtt.url`;
}

/** `(code 135: "not on this topic")`: the number, for manuals, and the broker's own words. */
export function codeWords({ code, text }: BrokerReason): string {
  return text === undefined || text === '' ? `(code ${code})` : `(code ${code}: ${quoted(text)})`;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, MAX_QUOTED));
}

function unlisted(code: string, error: unknown): Row {
  const words = withoutPlaces(messageOf(error) || code);
  if (/ALERT|CERTIFICATE_REQUIRED/.test(code)) {
    return [
      'tls',
      `it broke off the TLS handshake (${words}); does it want a client certificate (mqtt.cert, mqtt.key)?`,
    ];
  }
  if (/^ERR_(SSL|TLS|OSSL)|^EPROTO$|CERT/.test(code)) return ['tls', `TLS failed: ${words}`];
  if (words.startsWith('Unexpected server response')) {
    return ['not-mqtt', `no WebSocket for MQTT at this path (${words}); check the path in mqtt.url`];
  }
  return ['closed', `connecting failed: ${words}`];
}

/** OpenSSL's sentence without the places in its sources: `803C...:error:0A000418:SSL routines:ssl3_read_bytes:WORDS:../deps/...`. */
function withoutPlaces(words: string): string {
  return /^(?:[0-9A-F]+:)?error:[0-9A-F]+:[^:]*:[^:]*:([^:]+)/.exec(words)?.[1] ?? words;
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
