/**
 * Keys that set a config for one listener: `listener.name.NAME.KEY`, the name in small letters; some of SASL have the
 * mechanism before the key.
 *
 * Invariants: pure. Which listeners there are nobody asks, as in Kafka: one may be set up before it is there.
 */

const prefixed = /^listener\.name\.[^.]*\.(.*)$/

/** Keys that stand behind a mechanism. */
const ofMechanism = [
  'sasl.jaas.config',
  'sasl.login.callback.handler.class',
  'sasl.login.class',
  'sasl.server.callback.handler.class',
  'connections.max.reauth.ms',
]

/** What follows the listener's name; undefined: the key is no listener's. */
export function listenerKey(name: string): string | undefined {
  return prefixed.exec(name)?.[1]
}

/** The config of all listeners that the key goes before. */
export function baseOfListenerKey(name: string): string | undefined {
  const key = listenerKey(name)
  return key === undefined ? undefined : (ofMechanism.find(each => key.endsWith(each)) ?? key)
}

export function keyOfListener(listener: string, name: string): string {
  return `listener.name.${listener.toLowerCase()}.${name}`
}
