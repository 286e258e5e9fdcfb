// A message as a test sees it: what came on a topic of the gateway.

/** One MQTT message. */
export interface RigMessage {
  /** Relative to the base topic: `scale`, `scale/availability`, `bridge/state`. */
  readonly topic: string;
  readonly payload: Buffer;
  /** The payload as UTF-8. */
  readonly text: string;
  /** The payload read as JSON; undefined if it is none. */
  readonly json: unknown;
  /** The broker had kept it from before the rig subscribed. */
  readonly retained: boolean;
}

/** Makes one; text and JSON are read when somebody asks. */
export function makeRigMessage(topic: string, payload: Buffer, retained: boolean): RigMessage {
  return {
    topic,
    payload,
    retained,
    get text() {
      return payload.toString('utf8');
    },
    get json() {
      return readJson(payload);
    },
  };
}

function readJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}
