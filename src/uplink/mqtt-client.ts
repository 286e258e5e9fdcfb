// Loads mqtt.js, which takes 75 ms: only when a session is opened for the first time.

/** What a session needs of mqtt.js. */
export async function loadMqttClient() {
  // By `default`, which is all that a CommonJS package has once it is bundled.
  const [{ default: mqtt }, { default: packets }] = await Promise.all([import('mqtt'), import('mqtt-packet')]);
  const { MqttClient, ReasonCodes } = mqtt;
  // Otherwise the first packet makes a buffer for each of the 65,536 packet ids: 6 MB and 15 ms for ids that we rarely use.
  packets.writeToStream.cacheNumbers = false;
  return { MqttClient, ReasonCodes };
}
