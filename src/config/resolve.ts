/**
 * From flags, environment and file to one checked `BrokerConfig`.
 *
 * Invariants: pure. Later layers win; below them lie the lines of the server.properties that Kafka ships, so that one
 * node runs by itself. A bad value, or one that would promise what this broker cannot keep (an authorizer, TLS, a
 * second voter), is a problem that stops the start; an unknown key is a warning.
 */
import { type BrokerConfig, brokerConfigOf } from './broker-config.ts'
import { overlap } from './directories.ts'
import { baseOfListenerKey } from './listener-keys.ts'
import { formatAddress, isWildcard, parseListeners, parseProtocolMap } from './listeners.ts'
import { nearestName } from './nearest.ts'
import { brokerConfigs } from './table.ts'
import { parseValue } from './value.ts'

/** Texts from one place. */
export interface ConfigLayer {
  /** For messages: `server.properties`, `environment`, `-c`. */
  readonly origin: string
  readonly values: ReadonlyMap<string, string>
}

/** What has an option of its own. It wins over the same thing said by a key. */
export interface AddressOptions {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly dir?: string | undefined
  readonly flush?: 'group' | 'os' | undefined
}

export interface ConfigProblem {
  readonly key: string
  /** As given; a password's is left out. */
  readonly value: string
  readonly allowed: string
  readonly message: string
}

export type ResolvedConfig =
  | {
      readonly ok: true
      readonly config: BrokerConfig
      readonly warnings: readonly string[]
      /** Keys that were set to something else than their default, and on which nothing acts yet. */
      readonly withoutEffect: readonly string[]
    }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[]; readonly warnings: readonly string[] }

const shipped: ReadonlyMap<string, string> = new Map([
  ['process.roles', 'broker,controller'],
  ['node.id', '1'],
  ['controller.quorum.bootstrap.servers', 'localhost:9093'],
  ['inter.broker.listener.name', 'PLAINTEXT'],
  ['controller.listener.names', 'CONTROLLER'],
  [
    'listener.security.protocol.map',
    'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
  ],
  ['num.network.threads', '3'],
  ['num.io.threads', '8'],
  ['socket.send.buffer.bytes', '102400'],
  ['socket.receive.buffer.bytes', '102400'],
  ['socket.request.max.bytes', '104857600'],
  ['num.partitions', '1'],
  ['num.recovery.threads.per.data.dir', '2'],
  ['offsets.topic.replication.factor', '1'],
  ['share.coordinator.state.topic.replication.factor', '1'],
  ['share.coordinator.state.topic.min.isr', '1'],
  ['transaction.state.log.replication.factor', '1'],
  ['transaction.state.log.min.isr', '1'],
  ['log.retention.hours', '168'],
  ['log.segment.bytes', '1073741824'],
  ['log.retention.check.interval.ms', '300000'],
])

/** What a single listener can have otherwise than the others. */
const actsOnListener: ReadonlySet<string> = new Set(['max.connections'])

/** Keys that Kafka's plug-ins read, so that they are in no definition. */
const pluginKey = /^(listener\.name\.|config\.providers\.|super\.users$|allow\.everyone\.if\.no\.acl\.found$)/

function problem(key: string, value: string, allowed: string, origin?: string): ConfigProblem {
  const definition = brokerConfigs.get(key)
  const shown = definition?.type === 'PASSWORD' ? '(hidden)' : value
  const from = origin === undefined ? '' : ` (${origin})`
  return { key, value: shown, allowed, message: `${key}=${shown}${from} is not allowed: must be ${allowed}` }
}

/** `listeners` with host or port replaced in the first that is not the controller's. */
function withAddress(listeners: string | undefined, controllers: string, options: AddressOptions): string {
  if (listeners === undefined) {
    const first = formatAddress(options.host ?? '127.0.0.1', options.port ?? 9092)
    return `PLAINTEXT://${first},CONTROLLER://localhost:9093`
  }
  if (options.host === undefined && options.port === undefined) return listeners
  const names = controllers.toUpperCase().split(/\s*,\s*/)
  const entries = listeners.trim().split(/\s*,\s*/)
  const index = entries.findIndex(entry => !names.includes(entry.split(':')[0]!.toUpperCase()))
  const match = /^(.*?:\/\/)(.*):(\d+)$/.exec(entries[index] ?? '')
  if (!match) return listeners
  const host = options.host ?? match[2]!.replace(/^\[(.*)\]$/, '$1')
  entries[index] = match[1] + formatAddress(host, options.port ?? Number(match[3]))
  return entries.join(',')
}

function addressProblems(texts: ReadonlyMap<string, string>, config: BrokerConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const protocols = texts.get('listener.security.protocol.map') ?? config.string('listener.security.protocol.map')
  if (!parseProtocolMap(protocols)) {
    return [
      problem(
        'listener.security.protocol.map',
        protocols,
        'NAME:PROTOCOL entries, with PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL',
      ),
    ]
  }
  for (const key of ['listeners', 'advertised.listeners']) {
    const parsed = parseListeners(config.list(key), protocols)
    if (!parsed.ok) problems.push(problem(key, parsed.entry, parsed.mustBe))
  }
  if (problems.length > 0) return problems
  const listeners = config.text('listeners') ?? ''
  if (config.listeners.length === 0) problems.push(problem('listeners', listeners, 'at least one for clients'))
  for (const { name, protocol } of config.listeners) {
    if (protocol === 'PLAINTEXT') continue
    problems.push(
      problem('listeners', listeners, `of protocol PLAINTEXT so far, without TLS and SASL: ${name} is ${protocol}`),
    )
  }
  for (const { name, host } of config.advertised) {
    const advertised = config.text('advertised.listeners') ?? ''
    if (isWildcard(host)) {
      problems.push(problem('advertised.listeners', advertised, 'addresses that a client can dial, not all interfaces'))
    } else if (!config.listeners.some(listener => listener.name === name)) {
      problems.push(problem('advertised.listeners', advertised, `of names that listeners has: it lacks ${name}`))
    }
  }
  return problems
}

/** What is wrong with values that pass each by itself: they contradict each other, or this broker cannot keep them. */
export function configProblems(config: BrokerConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const text = (key: string) => config.text(key) ?? ''
  const require = (fine: boolean, key: string, allowed: string) => {
    if (!fine) problems.push(problem(key, text(key), allowed))
  }
  const positive = (key: string, least: number, orForEver: boolean) => {
    const value = config.value(key)
    const fine = typeof value !== 'number' || value >= least || (orForEver && value === -1)
    require(fine, key, orForEver ? `at least ${least}, or -1 for ever` : `at least ${least}`)
  }
  positive('log.roll.ms', 1, false)
  positive('log.roll.jitter.ms', 0, false)
  positive('log.retention.ms', 1, true)
  positive('log.retention.minutes', 1, true)
  positive('log.retention.hours', 1, true)
  const nodeId = config.number('node.id')
  require(config.number('broker.id') === nodeId, 'broker.id', `the same as node.id, ${nodeId}`)
  const roles = config.list('process.roles')
  require(roles.length === 2, 'process.roles', 'broker,controller: this node is a cluster of its own so far')
  const voters = config.list('controller.quorum.voters')
  const alone = voters.length === 0 || (voters.length === 1 && voters[0]!.startsWith(`${nodeId}@`))
  require(alone, 'controller.quorum.voters', `this node alone (${nodeId}@host:port), or empty`)
  const metadata = config.text('metadata.log.dir')
  const directories = config.list('log.dirs')
  // A folder in a log directory is taken for a partition's, and renamed when it is none's.
  require(!overlap(directories), 'log.dirs', 'directories of which none is another one or lies in another one')
  const within = metadata === null || directories.includes(metadata)
  require(within, 'metadata.log.dir', `unset, or one of log.dirs: ${directories.join(', ')}`)
  const authorizer = 'empty: there is no authorizer yet, and everyone may do everything'
  require(text('authorizer.class.name') === '', 'authorizer.class.name', authorizer)
  for (const key of [
    'create.topic.policy.class.name',
    'alter.config.policy.class.name',
    'client.quota.callback.class',
  ]) {
    require(config.value(key) === null, key, 'unset: Java classes cannot be loaded here')
  }
  const tiered = config.boolean('remote.log.storage.system.enable')
  require(!tiered, 'remote.log.storage.system.enable', 'false: there is no tiered storage')
  const lag = config.number('log.cleaner.max.compaction.lag.ms')
  const least = config.number('log.cleaner.min.compaction.lag.ms')
  require(least <= lag, 'log.cleaner.min.compaction.lag.ms', `at most log.cleaner.max.compaction.lag.ms, ${lag}`)
  groupProblems(config, require)
  return problems
}

/** What a group may set lies within bounds, and the broker's own value too. */
function groupProblems(config: BrokerConfig, require: (fine: boolean, key: string, allowed: string) => void): void {
  for (const name of ['heartbeat.interval.ms', 'session.timeout.ms', 'assignment.interval.ms']) {
    const [key, lowest, highest] = [
      `group.consumer.${name}`,
      `group.consumer.min.${name}`,
      `group.consumer.max.${name}`,
    ]
    const [value, least, most] = [config.number(key), config.number(lowest), config.number(highest)]
    require(least <= most, highest, `at least ${lowest}, ${least}`)
    require(least <= value && value <= most, key, `from ${least} (${lowest}) to ${most} (${highest})`)
  }
  const session = config.number('group.consumer.session.timeout.ms')
  const heartbeat = config.number('group.consumer.heartbeat.interval.ms')
  const below = `below group.consumer.session.timeout.ms, ${session}`
  require(heartbeat < session, 'group.consumer.heartbeat.interval.ms', below)
  const assignors = config.list('group.consumer.assignors').every(each => each === 'uniform' || each === 'range')
  require(assignors, 'group.consumer.assignors', 'uniform, range, or both: Java classes cannot be loaded here')
  const classic = config.list('group.coordinator.rebalance.protocols').includes('classic')
  require(classic, 'group.coordinator.rebalance.protocols', 'a list with classic, which is always served')
}

/** Resolves `layers`, weakest first, under `options`. */
export function resolveConfig(layers: readonly ConfigLayer[], options: AddressOptions = {}): ResolvedConfig {
  const given = new Map(shipped)
  const warnings: string[] = []
  const problems: ConfigProblem[] = []
  const chosen = new Map<string, string>()
  for (const { origin, values } of layers) {
    for (const [key, text] of values) {
      const base = baseOfListenerKey(key)
      const definition = brokerConfigs.get(base !== undefined && actsOnListener.has(base) ? base : key)
      if (!definition && !pluginKey.test(key)) {
        const near = nearestName(key, brokerConfigs.keys())
        warnings.push(`unknown config ${key} (${origin})${near === undefined ? '' : `; the nearest is ${near}`}`)
      }
      if (definition) {
        const parsed = parseValue(definition, text)
        if (!parsed.ok) problems.push(problem(key, text, parsed.mustBe, origin))
      }
      chosen.set(key, text)
    }
  }
  if (problems.length > 0) return { ok: false, problems, warnings }
  for (const [key, text] of chosen) given.set(key, text)

  if (options.flush !== undefined) given.set('odradek.flush', options.flush)
  if (options.dir !== undefined) given.set('log.dirs', options.dir)
  else if (!chosen.has('log.dirs')) given.set('log.dirs', chosen.get('log.dir') ?? './data')
  given.set('listeners', withAddress(chosen.get('listeners'), given.get('controller.listener.names')!, options))
  if (chosen.has('broker.id') && !chosen.has('node.id')) given.set('node.id', chosen.get('broker.id')!)
  if (!chosen.has('broker.id')) given.set('broker.id', given.get('node.id')!)

  const config = brokerConfigOf(given)
  problems.push(...addressProblems(given, config), ...configProblems(config))
  if (problems.length > 0) return { ok: false, problems, warnings }
  const withoutEffect = [...chosen.keys()].filter(key => {
    const definition = brokerConfigs.get(key)
    if (!definition) return pluginKey.test(key) && !actsOnListener.has(baseOfListenerKey(key) ?? '')
    return !definition.effective && config.text(key) !== (shipped.get(key) ?? definition.default ?? null)
  })
  return { ok: true, config, warnings, withoutEffect }
}
