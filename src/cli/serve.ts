/**
 * `odradek serve`: starts a broker in this process, says so in one line, and ends with it.
 *
 * Invariants: resolves with the exit code once everything is closed; the first signal stops cleanly, a second one
 * ends the process at once. A start that fails closes what it opened and says what to do; an empty data folder may
 * have been formatted by then.
 */
import { writeSync } from 'node:fs'
import type { Logger } from '../base/logger.ts'
import { Broker } from '../broker/broker.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Host } from '../host/host.ts'
import { systemHost } from '../host/system.ts'
import { NativeRuntime } from '../native/runtime.ts'
import { ExitCode } from './exit-codes.ts'
import { createLogger, logSettings } from './logging.ts'
import { type ServeFlags, serveConfig } from './serve-config.ts'
import { addressWarnings, cutWarnings, reportLines, startedLine, startFailure } from './start-up.ts'

const STDOUT = 1
const STDERR = 2

function say(channel: number, line: string): void {
  try {
    writeSync(channel, `${line}\n`)
  } catch {
    // Whoever read our output went away; the broker serves on.
  }
}

/** Serves until a signal; resolves with the exit code. */
export async function serve(flags: ServeFlags): Promise<number> {
  const settings = logSettings(process.env, process.stderr.isTTY === true)
  if (typeof settings === 'string') {
    say(STDERR, `error: ${settings}`)
    return ExitCode.usage
  }
  const logger = createLogger(settings)
  const resolved = serveConfig(flags, process.env)
  for (const warning of resolved.warnings) logger.warn(warning)
  if (!resolved.ok) {
    for (const error of resolved.errors) say(STDERR, `error: ${error}`)
    return ExitCode.usage
  }
  if (resolved.withoutEffect.length > 0) {
    logger.warn(`accepted, but nothing acts on it yet: ${resolved.withoutEffect.join(', ')}`)
  }
  return run(resolved.config, flags.memory === true, logger)
}

async function run(config: BrokerConfig, memory: boolean, logger: Logger): Promise<number> {
  const host = systemHost()
  const beganMs = host.clock.monotonicMs()
  let end: (code: number) => void = () => {}
  const ended = new Promise<number>(resolve => {
    end = resolve
  })
  const ignoreSignals = onSignals(host, logger, end)
  let runtime: NativeRuntime | undefined
  try {
    runtime = NativeRuntime.open({ host })
    runtime.ref()
    const broker = await Broker.start({
      host,
      logger,
      runtime,
      config,
      disk: memory ? { memory: runtime.createMemoryDisk() } : 'posix',
      onFailed(text) {
        logger.error(`the broker cannot go on: ${text}`)
        end(ExitCode.storage)
      },
    })
    announce(broker, config, memory, logger, host.clock.monotonicMs() - beganMs)
    const code = await ended
    return (await stop(broker, logger)) ? code : ExitCode.storage
  } catch (error) {
    const text = startFailure(error)
    if (text === undefined) throw error
    say(STDERR, `error: ${text}`)
    return ExitCode.usage
  } finally {
    ignoreSignals()
    runtime?.unref()
    await runtime?.close()
  }
}

/** One Ctrl-C under npm arrives twice, from the terminal and from npm: within this time it is one signal. */
const SAME_SIGNAL_MS = 500

/** The first signal ends with 0 after a clean stop, the second with 130 at once. Returns the remover. */
function onSignals(host: Host, logger: Logger, end: (code: number) => void): () => void {
  let firstMs: number | undefined
  const listener = () => {
    const nowMs = host.clock.monotonicMs()
    if (firstMs !== undefined) {
      if (nowMs - firstMs > SAME_SIGNAL_MS) process.exit(ExitCode.interrupted)
      return
    }
    firstMs = nowMs
    logger.info('stopping; a second signal stops at once, without flushing')
    end(ExitCode.done)
  }
  const removers = [host.process.onSignal('SIGINT', listener), host.process.onSignal('SIGTERM', listener)]
  return () => {
    for (const remove of removers) remove()
  }
}

function announce(broker: Broker, config: BrokerConfig, memory: boolean, logger: Logger, afterMs: number): void {
  const { host, port } = broker.listeners[0]!
  const dir = memory ? undefined : config.list('log.dirs').join(', ')
  const { topics, partitions } = broker.report
  for (const line of reportLines(broker, dir)) logger.info(line)
  for (const warning of cutWarnings(broker)) logger.warn(warning)
  for (const listener of broker.listeners) {
    for (const warning of addressWarnings(config, listener.host, listener.port)) logger.warn(warning)
  }
  if (broker.report.strays.length > 0) {
    logger.warn(`folders that belong to no topic were renamed: ${broker.report.strays.join(', ')}`)
  }
  say(STDOUT, startedLine(config, { host, port, dir, topics, partitions, afterMs }))
}

async function stop(broker: Broker, logger: Logger): Promise<boolean> {
  try {
    await broker.close()
    return true
  } catch (error) {
    logger.error(`the stop was not clean: ${error instanceof Error ? error.message : String(error)}`)
    return false
  }
}
