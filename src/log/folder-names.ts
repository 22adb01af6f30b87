/** What the name of a folder in a log directory says. Pure. */

const FUTURE = /^(.+)\.[0-9a-f]{32}-future$/

/**
 * The partition's folder (`<topic>-<partition>`) of which this is a copy that a move to another directory has under way
 * (`<topic>-<partition>.<32 hex digits>-future`); undefined for any other name.
 */
export function futureOf(folder: string): string | undefined {
  return FUTURE.exec(folder)?.[1]
}
