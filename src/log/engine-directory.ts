/**
 * `LogDirectory` over the native engine: one entry of `log.dirs`, on disk or in memory.
 *
 * Invariants: opened (and locked) by `openEngineDirectory` and closed exactly once; a failed directory stays offline,
 * every log in it hears so, and every later command is refused.
 */

import { Code, EngineError } from '../native/engine-code.ts'
import type { Disk, NamesRecord, OpenedDirectory, Runtime } from '../native/types.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { EngineLog, type LogHome, settle } from './engine-log.ts'
import type { DirectoryUse, LogDirectory, OpenOptions } from './log.ts'
import { LogError, LogErrorCode, logErrorCode } from './log-errors.ts'

type FailureListener = (code: KafkaErrorCode, text: string) => void

/** Damages that are remembered as told. */
const TOLD = 1000

export class EngineDirectory implements LogDirectory, LogHome {
  readonly id: number
  readonly path: string
  readonly clean: boolean
  readonly cleanBrokerEpoch: number
  offline = false

  readonly runtime: Runtime
  readonly #folders: readonly string[]
  readonly #logs = new Set<EngineLog>()
  readonly #listeners: FailureListener[] = []
  readonly #damages = new Set<string>()
  #onDamage: ((text: string) => void) | undefined
  #onFull: ((text: string) => void) | undefined

  constructor(runtime: Runtime, path: string, opened: OpenedDirectory) {
    this.runtime = runtime
    this.id = opened.id
    this.path = path
    this.clean = opened.clean
    this.cleanBrokerEpoch = opened.brokerEpoch
    this.#folders = opened.folders
  }

  partitionFolders(): Promise<string[]> {
    return Promise.resolve([...this.#folders])
  }

  open(name: string, options: OpenOptions): Promise<EngineLog> {
    const native = {
      directory: this.id,
      name,
      config: options.config,
      topicId: options.topicId,
      clean: options.clean ?? this.clean,
      mustExist: options.mustExist ?? false,
    }
    const log = new EngineLog(this, name, options.topicId)
    return new Promise((resolve, reject) => {
      const { slot, generation } = this.runtime.openLog(native, log, opened => {
        if (opened.code !== 0) {
          reject(new LogError(logErrorCode(opened.code), opened.text, opened.code === Code.noSpace))
          return
        }
        log.begin(opened)
        this.#logs.add(log)
        resolve(log)
      })
      log.slot = slot
      log.generation = generation
    })
  }

  forget(log: EngineLog): void {
    this.#logs.delete(log)
  }

  writeFile(path: string, content: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => this.runtime.writeFile(this.id, path, content, settle(resolve, reject)))
  }

  readFile(path: string): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.runtime.readFile(this.id, path, file => {
        if (file.code === 0) resolve(file.content)
        else if (logErrorCode(file.code) === LogErrorCode.NOT_FOUND) resolve(undefined)
        else reject(new LogError(logErrorCode(file.code), file.text))
      })
    })
  }

  listFiles(path: string): Promise<string[]> {
    return new Promise((resolve, reject) => {
      this.runtime.listFiles(this.id, path, names => settleNames(names, resolve, reject))
    })
  }

  removeFile(path: string): Promise<void> {
    return new Promise((resolve, reject) => this.runtime.removeFile(this.id, path, settle(resolve, reject)))
  }

  setAside(folder: string, name: string): Promise<void> {
    return new Promise((resolve, reject) => this.runtime.setAside(this.id, folder, name, settle(resolve, reject)))
  }

  use(): DirectoryUse {
    try {
      return this.runtime.directoryUse(this.id)
    } catch (error) {
      throw logError(error)
    }
  }

  look(sweep: boolean): Promise<void> {
    return new Promise((resolve, reject) => this.runtime.look(this.id, sweep, settle(resolve, reject)))
  }

  due(): Promise<string[]> {
    return new Promise((resolve, reject) => this.runtime.due(this.id, names => settleNames(names, resolve, reject)))
  }

  setRecoveryThreads(threads: number): void {
    try {
      this.runtime.setRecoveryThreads(this.id, threads)
    } catch (error) {
      throw logError(error)
    }
  }

  checkpoint(): Promise<void> {
    return new Promise((resolve, reject) => this.runtime.checkpoint(this.id, settle(resolve, reject)))
  }

  close(options: { clean: boolean; brokerEpoch: number }): Promise<void> {
    return Promise.resolve().then(() => {
      try {
        this.runtime.closeDirectory(this.id, options.clean, options.brokerEpoch)
      } catch (error) {
        throw logError(error)
      }
    })
  }

  onFailed(listener: FailureListener): void {
    this.#listeners.push(listener)
  }

  /** Hears once of each place in a log's files that can't be read any more, or not as it was written. */
  onDamage(listener: (text: string) => void): void {
    this.#onDamage = listener
  }

  damaged(text: string): void {
    if (this.#damages.has(text) || this.#damages.size === TOLD) return
    this.#damages.add(text)
    this.#onDamage?.(text)
  }

  /** Hears of each append that is refused because the disk is full. */
  onFull(listener: (text: string) => void): void {
    this.#onFull = listener
  }

  full(text: string): void {
    this.#onFull?.(text)
  }

  failed(code: number, text: string): void {
    this.offline = true
    for (const log of [...this.#logs]) log.failed(code, text)
    for (const listener of this.#listeners) listener(logErrorCode(code), text)
  }
}

/**
 * Opens, and where it is missing creates, a directory of logs; takes its lock. Blocks the
 * calling thread: only at start.
 * @throws LogError (LOCKED, KAFKA_STORAGE_ERROR), its text naming the path and the remedy.
 */
export function openEngineDirectory(runtime: Runtime, path: string, disk: Disk): EngineDirectory {
  let directory: EngineDirectory | undefined
  let opened: OpenedDirectory
  try {
    opened = runtime.openDirectory(path, disk, { failed: (code, _errno, text) => directory?.failed(code, text) })
  } catch (error) {
    throw logError(error)
  }
  directory = new EngineDirectory(runtime, path, opened)
  return directory
}

function settleNames(
  { code, text, names }: NamesRecord,
  resolve: (names: string[]) => void,
  reject: (error: LogError) => void,
): void {
  if (code === 0) resolve([...names])
  else reject(new LogError(logErrorCode(code), text))
}

function logError(error: unknown): unknown {
  return error instanceof EngineError ? new LogError(logErrorCode(error.engineCode), error.message) : error
}
