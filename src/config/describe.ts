/**
 * Configs as DescribeConfigs tells them: value, source, synonyms, documentation.
 *
 * Invariants: pure; which synonyms are told, and what source that makes, is Kafka's rule: those of the sources in order
 * of precedence, from the first that has the described key's own name. A password's value is never told.
 */
import type { BrokerConfig, StaticConfigs } from './broker-config.ts'
import type { ConfigDefinition, ConfigType } from './definition.ts'
import { isDynamic } from './dynamic-broker.ts'
import { baseOfListenerKey } from './listener-keys.ts'
import {
  brokerConfigs,
  brokerSynonyms,
  clientMetricsConfigs,
  groupConfigs,
  groupSynonym,
  topicConfigs,
  topicSynonyms,
} from './table.ts'
import { topicText } from './topic-config.ts'
import { defaultValue, parseValue } from './value.ts'

/** Numbers on the wire. */
export const ConfigSource = {
  topic: 1,
  dynamicBroker: 2,
  dynamicDefaultBroker: 3,
  staticBroker: 4,
  default: 5,
  clientMetrics: 7,
  group: 8,
} as const

const typeNumbers: Readonly<Record<ConfigType, number>> = {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  SHORT: 4,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
  CLASS: 8,
  PASSWORD: 9,
}

export interface ConfigSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: number
}

export interface DescribedConfig extends ConfigSynonym {
  readonly readOnly: boolean
  readonly sensitive: boolean
  readonly synonyms: readonly ConfigSynonym[]
  /** Number on the wire; 0 for a key that no definition has. */
  readonly type: number
  /** Empty for a key that no definition has. */
  readonly documentation: string
}

function synonymsOf(name: string, config: BrokerConfig, sensitive: boolean): ConfigSynonym[] {
  const names = brokerSynonyms(name)
  const found: ConfigSynonym[] = []
  const layers: [StaticConfigs, number][] = [
    [config.dynamicBroker, ConfigSource.dynamicBroker],
    [config.dynamicDefault, ConfigSource.dynamicDefaultBroker],
    [config.given, ConfigSource.staticBroker],
  ]
  for (const [layer, source] of layers) {
    for (const each of names) {
      const value = layer.get(each)
      if (value !== undefined) found.push({ name: each, value: sensitive ? null : value, source })
    }
  }
  for (const each of names) {
    const definition = brokerConfigs.get(each)
    // What can only be set while a broker runs has no default to tell.
    const apart = definition?.internal && definition.update !== 'read-only'
    const value = definition && !apart ? defaultValue(definition).text : undefined
    if (typeof value === 'string') {
      found.push({ name: each, value: sensitive ? null : value, source: ConfigSource.default })
    }
  }
  const own = found.findIndex(synonym => synonym.name === name)
  return own < 0 ? [] : found.slice(own)
}

function described(
  definition: ConfigDefinition,
  value: string | null,
  synonyms: readonly ConfigSynonym[],
  readOnly: boolean,
): DescribedConfig {
  const sensitive = definition.type === 'PASSWORD'
  return {
    name: definition.name,
    value: sensitive ? null : value,
    source: synonyms[0]?.source ?? ConfigSource.default,
    readOnly,
    sensitive,
    synonyms,
    type: typeNumbers[definition.type],
    documentation: definition.documentation,
  }
}

/**
 * A key that was set and that no definition has. It may be anything, so its value is kept to ourselves,
 * unless it sets a config that we know for one listener.
 */
function describedUnknown(name: string, config: BrokerConfig): DescribedConfig {
  const base = brokerConfigs.get(baseOfListenerKey(name) ?? '')
  const sensitive = base === undefined || base.type === 'PASSWORD'
  const synonyms = synonymsOf(name, config, sensitive)
  const [own] = synonyms
  const source = own?.source ?? ConfigSource.default
  const type = base === undefined ? 0 : typeNumbers[base.type]
  const documentation = base?.documentation ?? ''
  return { name, value: own?.value ?? null, source, readOnly: true, sensitive, synonyms, type, documentation }
}

/** Every config of this broker. */
export function describeBroker(config: BrokerConfig): DescribedConfig[] {
  const result: DescribedConfig[] = []
  const set = [config.given, config.dynamicDefault, config.dynamicBroker].flatMap(layer => [...layer.keys()])
  for (const name of new Set(set)) {
    if (!brokerConfigs.has(name)) result.push(describedUnknown(name, config))
  }
  for (const definition of brokerConfigs.values()) {
    const { name, type } = definition
    const isSet = config.dynamicBroker.has(name) || config.dynamicDefault.has(name)
    if (definition.internal && !isSet) continue
    const synonyms = synonymsOf(name, config, type === 'PASSWORD')
    result.push(described(definition, config.text(name), synonyms, !isDynamic(definition)))
  }
  return result
}

/** What was set for all brokers while the cluster runs. */
export function describeBrokerDefault(config: BrokerConfig): DescribedConfig[] {
  const result: DescribedConfig[] = []
  for (const [name, text] of config.dynamicDefault) {
    const definition = brokerConfigs.get(name)
    if (!definition) {
      const described = describedUnknown(name, config)
      const ofAll = described.synonyms.filter(({ source }) => source === ConfigSource.dynamicDefaultBroker)
      const { value = null, source = described.source } = ofAll[0] ?? {}
      result.push({ ...described, value, source, synonyms: ofAll })
      continue
    }
    const synonyms = synonymsOf(name, config, definition.type === 'PASSWORD').filter(
      synonym => synonym.source === ConfigSource.dynamicDefaultBroker,
    )
    result.push(described(definition, text, synonyms, !isDynamic(definition)))
  }
  return result
}

/** Every config of a topic with these overrides. */
export function describeTopic(overrides: ReadonlyMap<string, string>, config: BrokerConfig): DescribedConfig[] {
  const result: DescribedConfig[] = []
  for (const definition of topicConfigs.values()) {
    const { name } = definition
    if (definition.internal && !overrides.has(name)) continue
    const value = topicText(name, overrides, config)
    const first = topicSynonyms.get(name)?.[0]
    const synonyms = first ? synonymsOf(first.name, config, false) : []
    if (overrides.has(name)) synonyms.unshift({ name, value, source: ConfigSource.topic })
    result.push(described(definition, value, synonyms, false))
  }
  return result
}

/** Every config of a group with these overrides. */
export function describeGroup(overrides: ReadonlyMap<string, string>, config: BrokerConfig): DescribedConfig[] {
  const result: DescribedConfig[] = []
  for (const definition of groupConfigs.values()) {
    const { name } = definition
    const own = overrides.get(name)
    const parsed = own === undefined ? undefined : parseValue(definition, own)
    const broker = groupSynonym(name)
    const byDefault = broker === undefined ? defaultValue(definition).text : config.text(broker)
    const value = parsed?.ok ? parsed.text : byDefault
    const synonyms =
      broker === undefined
        ? [{ name, value: defaultValue(definition).text, source: ConfigSource.default }]
        : synonymsOf(broker, config, false)
    if (parsed?.ok) synonyms.unshift({ name, value, source: ConfigSource.group })
    result.push(described(definition, value, synonyms, false))
  }
  return result
}

/** Every config of a client metrics subscription with these overrides. */
export function describeClientMetrics(overrides: ReadonlyMap<string, string>): DescribedConfig[] {
  return [...clientMetricsConfigs.values()].map(definition => {
    const { name } = definition
    const own = overrides.get(name)
    const parsed = own === undefined ? undefined : parseValue(definition, own)
    if (!parsed?.ok) return described(definition, defaultValue(definition).text, [], false)
    const synonym = { name, value: parsed.text, source: ConfigSource.clientMetrics }
    return described(definition, parsed.text, [synonym], false)
  })
}
