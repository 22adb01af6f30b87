/**
 * A broker that is crashed again and again over the same directory, at instants drawn from a seed: under load, while it
 * starts, while it stops, after it has stopped. Between two crashes it must come up and keep every promise.
 */
import { Prng } from '../../../src/base/prng.ts'
import { Violation } from './reading.ts'
import type { Server } from './server.ts'
import { Workload } from './workload.ts'

export interface CrashOptions {
  readonly crashes: number
  readonly seed: number
  start(): Server
  /** The power goes, or only the process: afterwards nobody runs, and what is left is left. */
  crash(server: Server): Promise<void>
  /**
   * `crash` cuts the power of the disk alone. The host lives on, and the kernel lets a sync succeed that ends around
   * the cut although its bytes are gone; no answer leaves a machine without power, so none counts from the cut on.
   */
  readonly cutsPower?: boolean
  /** Everything that was written so far is kept. */
  sync?(): void
  /** False: what was not synced may be gone, acknowledged or not. */
  readonly keepsAll?: boolean
  /** There are two directories, and replicas move. */
  readonly moves?: boolean
}

export interface CrashReport {
  crashes: number
  acknowledged: number
  expired: boolean
  /** Replicas that were seen to have moved. */
  moved: number
}

type Moment = 'load' | 'start' | 'stopping' | 'stopped'

const moments: readonly Moment[] = ['load', 'load', 'load', 'load', 'load', 'start', 'stopping', 'stopped']

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** @throws Violation, which names the seed and the crash. */
export const crashes = async (options: CrashOptions): Promise<CrashReport> => {
  const random = new Prng(options.seed)
  const below = (limit: number): number => random.u32() % limit
  const workload = new Workload({ moves: options.moves })
  const keepsAll = options.keepsAll ?? true

  const first = options.start()
  await workload.prepare(await first.listening)
  options.sync?.()
  let server: Server | undefined = first

  /** Up, and looked through. */
  const up = async (): Promise<Server> => {
    if (server !== undefined) return server
    const started = options.start()
    const port = await started.listening.catch((error: Error) => {
      throw new Violation(`it doesn't start: ${error.message}`)
    })
    await (keepsAll ? workload.check(port) : workload.resume(port))
    return started
  }

  const crash = async (running: Server): Promise<void> => {
    if (options.cutsPower) workload.hangUp()
    await options.crash(running)
  }

  const crashAt = async (moment: Moment): Promise<void> => {
    if (moment === 'start' && server === undefined) {
      const starting = options.start()
      await pause(below(600))
      await crash(starting)
      return
    }
    const running = await up()
    let disturbed = false
    const load = workload.run(await running.listening, () => disturbed)
    // A failure of the load shows when it is awaited.
    load.catch(() => {})
    await Promise.race([pause(20 + below(400)), load])
    disturbed = true
    if (moment === 'stopping' || moment === 'stopped') {
      const stopped = running.running.kill('SIGTERM')
      if (moment === 'stopped') {
        const { code, stderr } = await stopped
        if (code !== 0) throw new Violation(`it stopped with ${code}:\n${stderr}`)
      } else await pause(below(100))
    }
    await crash(running)
    server = undefined
    await load
  }

  for (let done = 0; done < options.crashes; done++) {
    const moment = moments[below(moments.length)] as Moment
    try {
      await crashAt(moment)
    } catch (error) {
      const where = `crash ${done} of seed ${options.seed}, ${moment}`
      throw new Violation(`${where}: ${(error as Error).message}`, { cause: error })
    }
    server = undefined
  }
  const last = await up()
  const { code, stderr } = await last.running.kill('SIGTERM')
  if (code !== 0) throw new Violation(`after seed ${options.seed} it stopped with ${code}:\n${stderr}`)
  return {
    crashes: options.crashes,
    acknowledged: workload.acknowledged,
    expired: workload.hasExpired,
    moved: workload.moved,
  }
}
