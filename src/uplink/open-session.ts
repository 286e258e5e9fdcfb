// One attempt to open a session: network, then MQTT, under one time limit. Whatever goes wrong comes out as a SessionError
// that says in words what to do. Nothing is left behind by a failed attempt: no socket, listener or timer.

import type { Duplex } from 'node:stream';
import { openBrokerSocket } from './broker-socket.js';
import { loadMqttClient } from './mqtt-client.js';
import { MqttSession } from './mqtt-session.js';
import type { LastWill, Session, SessionHooks, SessionOptions } from './session.js';
import { SessionError, sessionErrorOf } from './session-error.js';

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Makes one attempt. Rejects with a SessionError, within the timeout; `aborted` as soon as `signal` aborts. A broker that
 * refuses the last will for its QoS or its retain flag (MQTT 5 section 3.2.2.2) is asked once more for each without that.
 */
export async function openSession(options: SessionOptions, hooks: SessionHooks, signal: AbortSignal): Promise<Session> {
  try {
    return await attemptSession(options, hooks, signal);
  } catch (error) {
    const will = options.will && plainerWill(options.will, error);
    if (will === undefined) throw error;
    return openSession({ ...options, will }, hooks, signal);
  }
}

function plainerWill(will: LastWill, error: unknown): LastWill | undefined {
  const { trouble } = error as SessionError; // attemptSession promises that
  if (trouble === 'will-retain' && will.retain) return { ...will, retain: false };
  if (trouble === 'will-qos' && will.qos !== 0) return { ...will, qos: 0 };
  return undefined;
}

async function attemptSession(options: SessionOptions, hooks: SessionHooks, signal: AbortSignal): Promise<Session> {
  const url = new URL(options.url);
  const limitMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const attempt = new AbortController();
  const onAbort = (): void => attempt.abort();
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  let isTimeout = false;
  let socket: Duplex | undefined;
  const timer = options.clock.after(limitMs, () => {
    isTimeout = true;
    attempt.abort();
  });
  try {
    // In this order: what the broker says at once, such as a TLS alert, must find its listener.
    const { MqttClient: Client, ReasonCodes } = await loadMqttClient();
    socket = await openBrokerSocket(url, options.tls ?? {}, attempt.signal);
    const session = new MqttSession(Client, ReasonCodes, socket, options, hooks);
    await session.greeted(attempt.signal);
    return session;
  } catch (error) {
    throw isTimeout ? timeoutError(url, limitMs, socket !== undefined) : sessionErrorOf(error, url.host);
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', onAbort);
  }
}

function timeoutError(url: URL, limitMs: number, isConnected: boolean): SessionError {
  const seconds = `within ${limitMs / 1000} s`;
  const words = isConnected
    ? `connected, but nothing there answered as an MQTT broker ${seconds}; is it the right port, and mqtt:// or mqtts://?`
    : `no connection ${seconds}; is the address right, does a firewall drop it?`;
  return new SessionError('timeout', `broker ${url.host}: ${words}`);
}
