/**
 * What the log says of a directory that goes on: files that can't be read, and a disk that is full.
 *
 * Invariants: of each place that can't be read it tells once. Of a full disk it tells at the first append that is
 * refused, and again once a minute while more are; nothing but these says so to whoever runs the broker.
 */
import type { Logger } from '../base/logger.ts'
import type { Host } from '../host/host.ts'
import type { EngineDirectory } from '../log/engine-directory.ts'

const FULL_AGAIN_MS = 60_000

export function warnOf(directory: EngineDirectory, host: Host, logger: Logger): void {
  let againMs = 0
  directory.onDamage(text => logger.error(text))
  directory.onFull(text => {
    const nowMs = host.clock.monotonicMs()
    if (nowMs < againMs) return
    againMs = nowMs + FULL_AGAIN_MS
    logger.warn(`${text}: what is written there is refused until there is room`)
  })
}
