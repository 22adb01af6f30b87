/** What the public calls of the library throw or reject with. All are `OdradekError`s: switch on `code`. */
import { OdradekError } from '../base/errors.ts'
import type { ConfigProblem } from '../config/resolve.ts'
import { LogError, LogErrorCode } from '../log/log-errors.ts'

/** A setting that can't be used. `ERR_CONFIG` */
export class ConfigError extends OdradekError {
  readonly key: string
  readonly value: string
  /** What would be allowed, in words. */
  readonly allowed: string

  constructor(problem: ConfigProblem) {
    super('ERR_CONFIG', problem.message)
    this.key = problem.key
    this.value = problem.value
    this.allowed = problem.allowed
  }
}

/** The disk, or what lies on it. `ERR_LOCKED`: someone else has the directory open; `ERR_STORAGE`: all else. */
export class StorageError extends OdradekError {
  readonly dir: string

  constructor(dir: string, cause: Error) {
    const locked = cause instanceof LogError && cause.code === LogErrorCode.LOCKED
    super(locked ? 'ERR_LOCKED' : 'ERR_STORAGE', cause.message, { cause })
    this.dir = dir
  }
}

/** The broker or log was closed before the call. `ERR_CLOSED` */
export class ClosedError extends OdradekError {
  constructor(what: string) {
    super('ERR_CLOSED', `${what} is closed`)
  }
}

/** The log was opened to be read alone. `ERR_READ_ONLY` */
export class ReadOnlyError extends OdradekError {
  constructor(what: string, dir: string) {
    super('ERR_READ_ONLY', `${what} needs the log ${dir} to be opened without readOnly`)
  }
}

/** What was waited for did not come in time. `ERR_TIMEOUT` */
export class TimeoutError extends OdradekError {
  constructor(message: string) {
    super('ERR_TIMEOUT', message)
  }
}

/** Passes on a LogError as a StorageError of `dir`, and anything else as it is. */
export function storageError(dir: string, error: unknown): unknown {
  return error instanceof LogError ? new StorageError(dir, error) : error
}
