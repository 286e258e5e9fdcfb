// A subscriber like any other: everything that the demo shows has come this way, through the broker, and not from inside the
// gateway.

import mqtt from 'mqtt';

export interface WatcherOptions {
  readonly url: string;
  readonly filter: string;
  readonly onMessage: (topic: string, payload: Buffer) => void;
  /** The subscription failed; nothing will be seen. */
  readonly onTrouble: (reason: string) => void;
}

export interface Watcher {
  /** Sends a command as anybody else could. */
  publish(topic: string, payload: string): void;
  stop(): void;
}

/** Starts watching. Comes back by itself should the connection break. */
export function watchTopics({ url, filter, onMessage, onTrouble }: WatcherOptions): Watcher {
  const client = mqtt.connect(url, { protocolVersion: 4, clean: true, reconnectPeriod: 1000, resubscribe: false });
  client.on('connect', () => {
    client.subscribe(filter, { qos: 1 }, (error) => {
      if (error) onTrouble(`cannot subscribe to ${filter}: ${error.message}`);
    });
  });
  client.on('message', onMessage);
  client.on('error', () => {}); // tried again after reconnectPeriod; without a listener it would end the process
  return {
    publish: (topic, payload) => void client.publish(topic, payload, { qos: 1 }, () => {}),
    stop: () => void client.end(true),
  };
}
