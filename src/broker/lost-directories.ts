/**
 * The directories of `log.dirs` that can't be used at start. Without the one of the metadata log nothing starts;
 * another that the system refuses counts as offline, and the rest are served.
 *
 * What is somebody else's, held by another process or of another cluster or node, is a mistake of whoever starts
 * this, and ends the start.
 */
import type { Logger } from '../base/logger.ts'
import { LogError } from '../log/log-errors.ts'
import { ErrorCode } from '../protocol/error-codes.ts'

export class LostDirectories {
  readonly paths: string[] = []
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /**
   * What `open` gives; undefined when the directory is offline. @throws what `open` throws, where that ends the start
   */
  tryUse<Value>(path: string, isNeeded: boolean, open: () => Value): Value | undefined {
    try {
      return open()
    } catch (error) {
      if (isNeeded || !isOffline(error)) throw error
      this.paths.push(path)
      this.#logger.error({ err: error }, `log directory ${path} is offline: ${(error as Error).message}`)
      return undefined
    }
  }
}

/** The system or the disk has refused, and a broker can do without. */
function isOffline(error: unknown): boolean {
  return error instanceof LogError && error.code === ErrorCode.KAFKA_STORAGE_ERROR
}
