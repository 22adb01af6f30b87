/**
 * Looks into log directories from outside, without a runtime: nothing is opened as a log, and only `repair` writes.
 *
 * Runs on the calling thread to its end, which for a large directory takes long: for commands, not for servers.
 */
import { binding } from './index.ts'
import type { InspectRequest } from './types.ts'

/**
 * Hands what it finds to `take`, some hundred JSON lines at once, each ending with a line feed, until `take` answers
 * false. The result is undefined, or says which path can't be read, who holds the lock, or which step failed.
 */
export const inspect = (request: InspectRequest, take: (lines: string) => boolean): string | undefined =>
  binding().inspect({ ...request, from: limited(request.from), to: limited(request.to) }, take) || undefined

/** Numbers that an int64 holds. */
const limited = (offset: number): number => Math.max(-1, Math.min(offset, Number.MAX_SAFE_INTEGER))
