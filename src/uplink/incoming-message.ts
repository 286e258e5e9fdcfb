// A message that the broker sent us, as the uplink hands it to control. Free of mqtt.js's types, so that what reads it
// (commands, the bridge API) can be tested with plain objects.

import type { Qos } from '../device/message.js';

export interface IncomingMessage {
  readonly topic: string;
  readonly payload: Buffer;
  /** From the broker's store: it was published before we came. With MQTT 5 also: published to be stored. */
  readonly retain: boolean;
  readonly qos: Qos | 2;
  /** The broker sends it again, since it saw no acknowledgement of the first time. */
  readonly dup: boolean;
  /** MQTT 5: where the sender wants its answer. */
  readonly responseTopic?: string;
  /** MQTT 5: to be sent back with the answer. */
  readonly correlation?: Buffer;
  /** MQTT 5: seconds that are left of the sender's message expiry. */
  readonly expirySeconds?: number;
}
