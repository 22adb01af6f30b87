/** Disks that are soon full. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { temporaryFolder } from './temporary.ts'
import { mount } from './undo.ts'

export interface SmallDisk {
  /** Where it is mounted. */
  readonly path: string
  /** Lets go of it before the process ends. */
  remove(): void
}

/** A disk in memory. */
export const smallDisk = (megabytes: number): SmallDisk => {
  const path = join(temporaryFolder('disk'), 'mount')
  return { path, remove: mount(path, '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs') }
}

/** Takes all the room that is left; `rmSync` of the result gives it back. */
export const filled = (path: string): string => {
  const filler = join(path, 'filler')
  const file = openSync(filler, 'w')
  const page = new Uint8Array(4096)
  try {
    for (;;) writeSync(file, page)
  } catch (error) {
    assert.is((error as NodeJS.ErrnoException).code, 'ENOSPC')
  } finally {
    closeSync(file)
  }
  return filler
}
