/**
 * The broker's configuration, resolved: for each key its value and where that came from.
 *
 * Invariants: immutable; every value passed its definition; reading a key that the table lacks is a defect. What the
 * cluster changed while running lies over the static values (`withDynamic`), by Kafka's order: this broker's, the
 * cluster's default, static, built-in.
 */
import { assert } from '../base/assert.ts'
import type { ConfigDefinition } from './definition.ts'
import { keyOfListener } from './listener-keys.ts'
import { type AdvertisedAddress, type ListenerAddress, parseListeners } from './listeners.ts'
import { brokerConfigs } from './table.ts'
import { type ConfigValue, defaultValue, parseValue } from './value.ts'

export type StaticConfigs = ReadonlyMap<string, string>

export interface BrokerConfig {
  /** Texts that were set before start, unknown keys included. */
  readonly given: StaticConfigs
  /** Set while running for this broker, and for all brokers. */
  readonly dynamicBroker: StaticConfigs
  readonly dynamicDefault: StaticConfigs
  /** `odradek.flush`. */
  readonly flush: 'group' | 'os'
  /** The listeners that clients use (not the controller's), in order. */
  readonly listeners: readonly ListenerAddress[]
  /** `advertised.listeners` without the controller's, by listener name; empty when it is not set. */
  readonly advertised: readonly AdvertisedAddress[]
  value(name: string): ConfigValue
  /** The value as Kafka prints it; null when there is none. */
  text(name: string): string | null
  number(name: string): number
  boolean(name: string): boolean
  string(name: string): string
  list(name: string): readonly string[]
  /** What is set for one listener, else for all. */
  numberOfListener(listener: string, name: string): number
  withDynamic(cluster: StaticConfigs, broker: StaticConfigs): BrokerConfig
}

const none: StaticConfigs = new Map()

/** Makes a config of texts that were checked before (`resolve.ts`); dynamic ones that don't pass are left out. */
export function brokerConfigOf(
  given: StaticConfigs,
  dynamicDefault: StaticConfigs = none,
  dynamicBroker: StaticConfigs = none,
): BrokerConfig {
  type Found = { value: ConfigValue; text: string | null }
  const parsed = new Map<string, Found>()
  function lookup(name: string): Found {
    const known = parsed.get(name)
    if (known) return known
    const definition = brokerConfigs.get(name)
    assert(definition !== undefined, `${name} is in the config table`)
    const result = textUnder(name, definition) ?? defaultValue(definition)
    parsed.set(name, result)
    return result
  }
  function textUnder(key: string, definition: ConfigDefinition): Found | undefined {
    for (const layer of [dynamicBroker, dynamicDefault, given]) {
      const text = layer.get(key)
      const attempt = text === undefined ? undefined : parseValue(definition, text)
      if (attempt?.ok) return attempt
    }
    return undefined
  }
  const value = (name: string) => lookup(name).value
  const controllers = listOf('controller.listener.names')
  const protocols = stringOf('listener.security.protocol.map')

  function listOf(name: string): readonly string[] {
    const found = value(name)
    return Array.isArray(found) ? found : []
  }
  function stringOf(name: string): string {
    const found = value(name)
    return typeof found === 'string' ? found : ''
  }
  function addresses(name: string): ListenerAddress[] {
    const found = parseListeners(listOf(name), protocols)
    return found.ok ? found.listeners.filter(each => !controllers.includes(each.name)) : []
  }
  return {
    given,
    dynamicBroker,
    dynamicDefault,
    flush: value('odradek.flush') === 'os' ? 'os' : 'group',
    listeners: addresses('listeners'),
    advertised: addresses('advertised.listeners'),
    value,
    text: name => lookup(name).text,
    number(name) {
      const found = value(name)
      assert(typeof found === 'number', `${name} has a number`)
      return found
    },
    boolean: name => value(name) === true,
    string: stringOf,
    list: listOf,
    numberOfListener(listener, name) {
      const definition = brokerConfigs.get(name)
      const own = definition && textUnder(keyOfListener(listener, name), definition)?.value
      return typeof own === 'number' ? own : this.number(name)
    },
    withDynamic: (cluster, broker) => brokerConfigOf(given, cluster, broker),
  }
}
