/**
 * Calls that wait for something and may be given up: an abort rejects with its reason, a time-out with ERR_TIMEOUT.
 *
 * Invariants: what is waited for goes on; nobody is told of its outcome any more.
 */
import type { Host } from '../host/host.ts'
import { TimeoutError } from './errors.ts'
import type { Wait } from './log-options.ts'

/** Settles as `promise` does, unless `wait` ends before. `what`: for the message. */
export function within<Result>(host: Host, what: string, promise: Promise<Result>, wait: Wait = {}): Promise<Result> {
  const { signal, timeoutMs } = wait
  if (signal === undefined && timeoutMs === undefined) return promise
  if (signal?.aborted) {
    promise.catch(() => {})
    return Promise.reject(signal.reason)
  }
  return new Promise((resolve, reject) => {
    const aborted = () => end(() => reject(signal?.reason))
    const late = () => end(() => reject(new TimeoutError(`${what} took longer than ${timeoutMs} ms`)))
    const timer = timeoutMs === undefined ? 0 : host.timers.at(host.clock.monotonicMs() + timeoutMs, late)
    const end = (settle: () => void) => {
      if (timer !== 0) host.timers.cancel(timer)
      signal?.removeEventListener('abort', aborted)
      settle()
    }
    signal?.addEventListener('abort', aborted, { once: true })
    promise.then(
      result => end(() => resolve(result)),
      error => end(() => reject(error)),
    )
  })
}
