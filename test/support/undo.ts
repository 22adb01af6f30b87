/**
 * What a test does to the machine and has to undo, whatever becomes of it: mounts, loop devices, processes. The last
 * first, when the test process ends at the latest.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'

const undoing = new Set<() => void>()

/** Everything that is not undone yet. */
export const undoAll = (): void => {
  for (const undo of [...undoing].reverse()) undo()
}
// Before temporary folders are removed, which may hold mounts: listeners run in the order in which they were added.
process.prependListener('exit', undoAll)

/** Undoes it when the process ends, or when the function that it gives is called. */
export const undoLater = (undo: () => void): (() => void) => {
  const once = (): void => {
    if (undoing.delete(once)) undo()
  }
  undoing.add(once)
  return once
}

/** Runs a program to its end; what it printed. Throws when it fails. */
export const run = (command: string, ...args: string[]): string => {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`)
  return stdout.trim()
}

/** Mounts at a folder, which it makes; `args` as `mount` takes them before it. Gives the way to let go of it. */
export const mount = (at: string, ...args: string[]): (() => void) => {
  mkdirSync(at, { recursive: true })
  run('mount', ...args, at)
  return undoLater(() => spawnSync('umount', ['-l', at]))
}
