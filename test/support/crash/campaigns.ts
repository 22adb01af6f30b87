/** The crashes that are tried, shared by the tests and by the long runs (test/crash/long.ts). */
import { join } from 'node:path'
import { odradekCommand } from '../broker-process.ts'
import { runProgram } from '../process.ts'
import { removeFolder, temporaryFolder } from '../temporary.ts'
import { type FileSystem, LoopDisk } from './loop-disk.ts'
import { Preload } from './preload.ts'
import { Violation } from './reading.ts'
import { type CrashReport, crashes } from './rounds.ts'
import { startServer } from './server.ts'

export interface PowerOptions {
  readonly fs: FileSystem
  readonly crashes: number
  readonly seed: number
  readonly flush: 'group' | 'os'
  /** Syncs do nothing: the promises are broken then. */
  readonly withoutSync?: boolean
  /** Looks at the data directory before it goes. */
  readonly inspect?: (dir: string) => Promise<void>
}

/** What our own reader says of every file; that compaction has taken offsets is a warning. */
const verify = async (dir: string): Promise<void> => {
  const [program, args] = odradekCommand()
  const { stdout, stderr } = await runProgram(program, [...args, 'log', 'verify', '--deep', dir])
  if (!/ bytes: 0 errors,/.test(stdout)) throw new Violation(`log verify:\n${stdout.slice(-4000)}\n${stderr}`)
}

/** Power cuts on a file system of its own. @throws Violation */
export const powerCuts = async (options: PowerOptions): Promise<CrashReport> => {
  const disk = new LoopDisk(options.fs)
  const preload = options.withoutSync ? await Preload.for(disk.mount) : undefined
  preload?.lie()
  const dir = join(disk.mount, 'data')
  let current: ReturnType<typeof startServer> | undefined
  try {
    const report = await crashes({
      ...options,
      keepsAll: options.flush === 'group',
      cutsPower: true,
      start: () => {
        current = startServer({ dirs: [dir], flush: options.flush, ...(preload && { env: preload.env }) })
        return current
      },
      sync: () => disk.sync(),
      crash: async ({ running }) => {
        disk.cut()
        await running.kill('SIGKILL')
        await disk.again()
      },
    })
    await verify(dir)
    await options.inspect?.(dir)
    return report
  } finally {
    await current?.running.kill('SIGKILL')
    await disk.remove()
  }
}

export interface KillOptions {
  readonly crashes: number
  readonly seed: number
  readonly flush: 'group' | 'os'
  /** Replicas move between two directories meanwhile. */
  readonly moves?: boolean
}

/** Slow enough that a copy is broken off now and then. */
const movesSlowly = { 'replica.alter.log.dirs.io.max.bytes.per.second': 400_000 }

/** kill -9: the page cache stays, so nothing may be lost whatever `flush` says. @throws Violation */
export const kills = async (options: KillOptions): Promise<CrashReport> => {
  const folder = temporaryFolder('kill')
  const dirs = options.moves ? [join(folder, 'a'), join(folder, 'b')] : [folder]
  const settings = options.moves ? movesSlowly : {}
  let current: ReturnType<typeof startServer> | undefined
  try {
    const report = await crashes({
      ...options,
      start: () => {
        current = startServer({ dirs, flush: options.flush, settings })
        return current
      },
      crash: async ({ running }) => {
        await running.kill('SIGKILL')
      },
    })
    for (const dir of dirs) await verify(dir)
    return report
  } finally {
    await current?.running.kill('SIGKILL')
    removeFolder(folder)
  }
}
