/** What DescribeLogDirs tells of this broker's directories. */
import type { LogDirectory } from '../log/log.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { METADATA_FOLDER } from '../raft/survey.ts'
import type { LogContent, LogDirectoryContent } from './context.ts'
import type { ReplicaMoves } from './replica-moves.ts'

export interface DirectoriesToDescribe {
  /** Online or not. */
  readonly directories: readonly LogDirectory[]
  /** Paths of those that could not be used at start. */
  readonly unusable: readonly string[]
  readonly moves: ReplicaMoves
  /** A directory that should be there can't be described. */
  readonly onFailed: (error: unknown, directory: LogDirectory) => void
}

export function directoryContents(options: DirectoriesToDescribe): LogDirectoryContent[] {
  const { directories, unusable, moves, onFailed } = options
  const opened = directories.map(directory => {
    const { path } = directory
    try {
      const { names, sizes, totalBytes, usableBytes } = directory.use()
      const logs = names.flatMap((folder, at) => logContent(moves, folder, sizes[at] as number))
      return { path, errorCode: ErrorCode.NONE, logs, totalBytes, usableBytes }
    } catch (error) {
      onFailed(error, directory)
      return offline(path)
    }
  })
  return [...opened, ...unusable.map(offline)]
}

function offline(path: string): LogDirectoryContent {
  return { path, errorCode: ErrorCode.KAFKA_STORAGE_ERROR, logs: [], totalBytes: -1, usableBytes: -1 }
}

function logContent(moves: ReplicaMoves, folder: string, bytes: number): LogContent[] {
  if (folder === METADATA_FOLDER) return []
  const copy = moves.find(folder)
  if (copy !== undefined) {
    const { topic, index } = copy.partition
    return [{ topic, index, bytes, futureLag: copy.move.lag }]
  }
  const dash = folder.lastIndexOf('-')
  return [{ topic: folder.slice(0, dash), index: Number(folder.slice(dash + 1)), bytes }]
}
