/**
 * `openLog`: the log engine alone. One folder in Kafka's format, no broker, no port.
 *
 * Invariants: a log has one holder: its parent directory is locked for this thread and shared by the logs that it opens
 * there; those that are opened to be read alone take no lock, and share nothing. What was opened is closed
 * again when anything fails.
 */
import { silentLogger, warningLogger } from '../base/logger.ts'
import { drawJitter } from '../config/topic-config.ts'
import { systemHost } from '../host/system.ts'
import { type EngineDirectory, openEngineDirectory } from '../log/engine-directory.ts'
import { NativeRuntime } from '../native/runtime.ts'
import { storageError } from './errors.ts'
import { type Log, OpenLog } from './log.ts'
import { type LogOptions, settings, split } from './log-options.ts'
import { checkBoolean, checkOptions, checkPath } from './options.ts'

/** Directories with open logs of this thread. */
const directories = new Map<string, { readonly directory: EngineDirectory; logs: number }>()

const optionNames = ['dir', 'readOnly', 'config', 'logger'] satisfies (keyof LogOptions)[]

/**
 * @throws ConfigError for a bad setting or a folder name that is not NAME-NUMBER; StorageError when the parent
 * directory is locked or the log can't be read.
 */
export async function openLog(options: LogOptions): Promise<Log> {
  checkOptions('openLog', options, optionNames)
  checkPath('dir', options.dir)
  checkBoolean('readOnly', options.readOnly)
  const { dir, readOnly = false } = options
  const { parent, name } = split(dir)
  const logger = options.logger === false ? silentLogger : (options.logger ?? warningLogger)
  const host = systemHost()
  const { log: config, compaction } = settings(options)
  const runtime = NativeRuntime.open({ host })
  runtime.ref()
  let leave = async () => {}
  try {
    const directory = readOnly ? openEngineDirectory(runtime, parent, 'readOnly') : enter(parent, runtime)
    leave = readOnly ? () => directory.close({ clean: false, brokerEpoch: -1 }) : () => leaveShared(parent)
    const log = await directory.open(name, {
      config: drawJitter(config, () => host.random.u32()),
      mustExist: readOnly,
    })
    const opened = new OpenLog(dir, { host, log, runtime, directory, readOnly, compaction, logger, leave })
    runtime.unref()
    return opened
  } catch (error) {
    // Why it wasn't opened is what counts.
    await leave().catch(() => {})
    runtime.unref()
    await runtime.close()
    throw storageError(dir, error)
  }
}

/** The parent directory, opened by the first log in it. */
function enter(parent: string, runtime: NativeRuntime): EngineDirectory {
  let shared = directories.get(parent)
  if (shared === undefined) {
    shared = { directory: openEngineDirectory(runtime, parent, 'posix'), logs: 0 }
    directories.set(parent, shared)
  }
  shared.logs++
  return shared.directory
}

/** One log of `parent` is closed, or was not opened; with the last one the directory is closed. */
async function leaveShared(parent: string): Promise<void> {
  const shared = directories.get(parent)
  if (shared === undefined || --shared.logs > 0) return
  directories.delete(parent)
  await shared.directory.close({ clean: !shared.directory.offline, brokerEpoch: -1 })
}
