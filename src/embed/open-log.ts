/**
 * `openLog`: the log engine alone. One folder in Kafka's format, no broker, no port.
 *
 * Invariants: a log has one holder: its parent directory is locked for this process and shared by the logs that it opens
 * there. What was opened is closed again when anything fails.
 */
import { drawJitter } from '../config/topic-config.ts'
import { systemHost } from '../host/system.ts'
import { type EngineDirectory, openEngineDirectory } from '../log/engine-directory.ts'
import type { EngineLog } from '../log/engine-log.ts'
import type { LogConfig } from '../log/log.ts'
import { NativeRuntime } from '../native/runtime.ts'
import { storageError } from './errors.ts'
import { type Log, OpenLog } from './log.ts'
import { type LogOptions, settings, split } from './log-options.ts'
import { checkOptions, checkPath } from './options.ts'

/** Directories with open logs of this process. */
const directories = new Map<string, { readonly directory: EngineDirectory; logs: number }>()

/**
 * @throws ConfigError for a bad setting or a folder name that is not NAME-NUMBER; StorageError when the parent directory
 * is locked or the log can't be read.
 */
export async function openLog(options: LogOptions): Promise<Log> {
  checkOptions('openLog', options, ['dir', 'config'] satisfies (keyof LogOptions)[])
  checkPath('dir', options.dir)
  const { parent, name } = split(options.dir)
  const host = systemHost()
  const config = drawJitter(settings(options), () => host.random.u32())
  const runtime = NativeRuntime.open({ host })
  runtime.ref()
  try {
    const { log, directory } = await open(parent, name, config, runtime)
    const opened = new OpenLog(options.dir, { host, log, runtime, directory, leave: () => leave(parent) })
    runtime.unref()
    return opened
  } catch (error) {
    await leave(parent)
    runtime.unref()
    await runtime.close()
    throw storageError(options.dir, error)
  }
}

async function open(
  parent: string,
  name: string,
  config: LogConfig,
  runtime: NativeRuntime,
): Promise<{ log: EngineLog; directory: EngineDirectory }> {
  let shared = directories.get(parent)
  if (shared === undefined) {
    shared = { directory: openEngineDirectory(runtime, parent, 'posix'), logs: 0 }
    directories.set(parent, shared)
  }
  shared.logs++
  return { log: await shared.directory.open(name, { config }), directory: shared.directory }
}

/** One log of `parent` is closed, or was not opened; with the last one the directory is closed. */
async function leave(parent: string): Promise<void> {
  const shared = directories.get(parent)
  if (shared === undefined || --shared.logs > 0) return
  directories.delete(parent)
  await shared.directory.close({ clean: !shared.directory.offline, brokerEpoch: -1 })
}
