/** What `openLog` and the calls of a log take. */
import { assert } from '../base/assert.ts'
import type { Logger } from '../base/logger.ts'
import { resolveConfig } from '../config/resolve.ts'
import { logConfigFor, topicValue, validateTopicConfig, validateTopicConfigs } from '../config/topic-config.ts'
import type { LogConfig } from '../log/log.ts'
import { ConfigError } from './errors.ts'
import type { Compaction } from './log-keeper.ts'
import type { Bytes } from './record.ts'

declare global {
  // Merges with the runtime's; a project without its types has this one.
  interface AbortSignal {}
}

export interface LogOptions {
  /**
   * The log's folder, named as Kafka names a partition's: `./logs/audit-0`. Created if missing. Not in a
   * broker's directory: a broker renames the folders there that no topic of its own has.
   */
  dir: string
  /**
   * Opens what is there to be read and changes nothing of it, not even after a crash: no lock is taken, and who writes
   * may go on. It holds the records that were there when it was opened, whatever becomes of them meanwhile.
   */
  readOnly?: boolean
  /** Kafka's topic settings by Kafka's names. For reading alone they mean nothing. */
  config?: Record<string, string | number | boolean>
  /**
   * pino's shape; hears what no call can tell of, as that compaction has met damage and goes no further. Default:
   * warnings and errors to the console; false: nothing.
   */
  logger?: Logger | false
}

export interface AppendOptions {
  key?: Bytes | null
  headers?: Record<string, Bytes | null> | Iterable<[string, Bytes | null]>
  /** Milliseconds since 1970; now by default. */
  timestamp?: Date | number
}

/** For calls that wait. */
export interface Wait {
  /** An abort rejects with its reason; what was asked for goes on. */
  signal?: AbortSignal
  /** Rejects with ERR_TIMEOUT after so long. */
  timeoutMs?: number
}

/** Where to begin: an offset, a place, or the first record at or after a moment. */
export type OffsetSpec = number | 'earliest' | 'latest' | Date

export interface RecordsOptions {
  /** `earliest` by default. */
  from?: OffsetSpec
  /** At the end wait for more instead of ending. */
  follow?: boolean
}

/** The parent directory and the folder's name. @throws ConfigError */
export function split(dir: string): { parent: string; name: string } {
  const path = dir.replace(/\/+$/, '')
  const slash = path.lastIndexOf('/')
  const name = path.slice(slash + 1)
  if (!/^[a-zA-Z0-9._-]+-\d+$/.test(name)) {
    const allowed = 'a folder named as Kafka names that of a partition, such as ./logs/audit-0'
    throw new ConfigError({ key: 'dir', value: dir, allowed, message: `dir must be ${allowed}; '${dir}' is not` })
  }
  const parent =
    slash < 0
      ? '.'
      : path
          .slice(0, slash)
          .replace(/\/+/g, '/')
          .replace(/^(\.\/)+(?=.)/, '')
  return { parent: parent === '' ? '/' : parent, name }
}

/** What the settings come to. */
export interface Settings {
  readonly log: LogConfig
  /** Undefined: it isn't compacted. */
  readonly compaction: Compaction | undefined
}

/** @throws ConfigError */
export function settings(options: LogOptions): Settings {
  const overrides = new Map(Object.entries(options.config ?? {}).map(([key, value]) => [key, String(value)]))
  for (const [key, value] of overrides) {
    const message = validateTopicConfig(key, value)
    if (message !== undefined) throw new ConfigError({ key, value, allowed: '', message })
  }
  const resolved = resolveConfig([])
  assert(resolved.ok, 'the built-in settings are valid')
  const broker = resolved.config
  const message = validateTopicConfigs(overrides, broker)
  if (message !== undefined) {
    const [key = '', value = ''] = [...overrides].find(([name]) => message.startsWith(name)) ?? []
    throw new ConfigError({ key, value, allowed: '', message })
  }
  const log: LogConfig = { ...logConfigFor(overrides, broker), flush: 'os' }
  if (!log.compacted) return { log, compaction: undefined }
  const compaction = {
    minDirtyRatio: topicValue('min.cleanable.dirty.ratio', overrides, broker) as number,
    backoffMs: broker.number('log.cleaner.backoff.ms'),
    mapBytes: broker.number('log.cleaner.dedupe.buffer.size'),
    loadFactor: broker.number('log.cleaner.io.buffer.load.factor'),
    bufferBytes: Math.floor(broker.number('log.cleaner.io.buffer.size') / 2),
    bytesPerSecond: broker.number('log.cleaner.io.max.bytes.per.second'),
  }
  return { log, compaction }
}
