/**
 * `startBroker`: a broker in this process, on disk or in memory.
 *
 * Invariants: resolves when clients may connect, rejects with everything closed again. It keeps the process alive until
 * it is closed or `unref` is called. Reads no file and no environment variable for its settings.
 */
import type { Logger } from '../base/logger.ts'
import { silentLogger, warningLogger } from '../base/logger.ts'
import { Broker as BrokerNode } from '../broker/broker.ts'
import { formatAddress, isWildcard } from '../config/listeners.ts'
import { resolveConfig } from '../config/resolve.ts'
import { systemHost } from '../host/system.ts'
import { NativeRuntime } from '../native/runtime.ts'
import type { Runtime } from '../native/types.ts'
import { ConfigError, storageError } from './errors.ts'
import { checkChoice, checkOptions, checkPath } from './options.ts'

const MEMORY = 'memory'

/** A group in the same process needs no time to gather. */
const defaults = new Map([['group.initial.rebalance.delay.ms', '0']])

const optionNames = ['dir', 'port', 'host', 'flush', 'config', 'logger'] satisfies (keyof BrokerOptions)[]

export interface BrokerOptions {
  /** Where the data lies; created if missing. Absent: in memory, gone when the broker is closed. */
  dir?: string
  /** 0, the default: a free one. */
  port?: number
  /** 127.0.0.1 by default. */
  host?: string
  /** What acks=all waits for: `group`, the default, for the disk; `os` for the page cache, as Kafka does. */
  flush?: 'group' | 'os'
  /** Kafka's broker settings by Kafka's names. */
  config?: Record<string, string | number | boolean>
  /** pino's shape. Default: warnings and errors to the console; false: nothing. */
  logger?: Logger | false
}

/** A running broker. */
export interface Broker extends AsyncDisposable {
  /** `host:port` of each listener, as a client on this machine dials it. */
  readonly bootstrapServers: string[]
  /** Of the first listener. */
  readonly port: number
  /** 22 characters of base64url. */
  readonly clusterId: string
  /** Stops cleanly: answers what is in flight, flushes, unlocks. Repeated calls give the same promise. */
  close(): Promise<void>
  /** Keeps the process alive again. */
  ref(): this
  /** Lets the process end while the broker is running; what acks=all has promised is on disk all the same. */
  unref(): this
}

/**
 * @throws ConfigError for a setting that can't be used, StorageError for a directory that is locked or unreadable; a
 * port in use, another cluster's directory and the like reject with an error that says so.
 */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  checkOptions('startBroker', options, optionNames)
  if (options.dir !== undefined) checkPath('dir', options.dir)
  checkChoice('flush', options.flush, ['group', 'os'])
  const logger = options.logger === false ? silentLogger : (options.logger ?? warningLogger)
  const values = new Map(Object.entries(options.config ?? {}).map(([key, value]) => [key, String(value)]))
  const resolved = resolveConfig(
    [
      { origin: 'startBroker', values: defaults },
      { origin: 'config', values },
    ],
    {
      host: options.host,
      port: options.port ?? (values.has('listeners') ? undefined : 0),
      dir: options.dir ?? MEMORY,
      flush: options.flush,
    },
  )
  for (const warning of resolved.warnings) logger.warn(warning)
  if (!resolved.ok) throw new ConfigError(resolved.problems[0]!)
  if (resolved.withoutEffect.length > 0)
    logger.warn(`accepted, but nothing acts on it yet: ${resolved.withoutEffect.join(', ')}`)
  const host = systemHost()
  const runtime = NativeRuntime.open({ host })
  // Nothing else keeps the process alive while this waits for the disk.
  runtime.ref()
  let node: BrokerNode
  try {
    const disk = options.dir === undefined ? { memory: runtime.createMemoryDisk() } : 'posix'
    const onFailed = (text: string) => logger.error(`the broker can't go on: ${text}`)
    node = await BrokerNode.start({ host, logger, runtime, disk, config: resolved.config, onFailed })
  } catch (error) {
    runtime.unref()
    await runtime.close()
    throw storageError(options.dir ?? MEMORY, error)
  }
  if (node.report.strays.length > 0)
    logger.warn(`folders that belong to no topic were renamed: ${node.report.strays.join(', ')}`)
  return new EmbeddedBroker(node, runtime)
}

class EmbeddedBroker implements Broker {
  readonly bootstrapServers: string[]
  readonly port: number
  readonly clusterId: string
  readonly #node: BrokerNode
  readonly #runtime: Runtime
  #closing: Promise<void> | undefined
  /** `startBroker` has called `ref` once. */
  #refs = true

  constructor(node: BrokerNode, runtime: Runtime) {
    this.#node = node
    this.#runtime = runtime
    this.bootstrapServers = node.listeners.map(({ host, port }) => formatAddress(dialled(host), port))
    this.port = node.listeners[0]!.port
    this.clusterId = node.clusterId
  }

  close(): Promise<void> {
    this.#closing ??= this.#node.close().finally(() => {
      this.unref()
      return this.#runtime.close()
    })
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  ref(): this {
    if (!this.#refs) this.#runtime.ref()
    this.#refs = true
    return this
  }

  unref(): this {
    if (this.#refs) this.#runtime.unref()
    this.#refs = false
    return this
  }
}

/** Where this machine reaches a listener. */
function dialled(host: string): string {
  if (!isWildcard(host)) return host
  return host === '::' ? '::1' : '127.0.0.1'
}
