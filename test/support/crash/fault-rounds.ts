/**
 * A broker inside another program, one of whose log directories is struck by one fault after another under load. After
 * each the program must be alive, the sound directory served, whoever is on the failed one told so; and when the broker
 * is started again without the fault, every promise kept.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { eventually } from '../../clients/target.ts'
import { removeFolder, temporaryFolder } from '../temporary.ts'
import { WireClient } from '../wire-client.ts'
import { type PartitionLoad, Refused } from './partition-load.ts'
import { type Fault, Preload } from './preload.ts'
import { Violation } from './reading.ts'
import { type Server, startEmbedded } from './server.ts'
import { Workload } from './workload.ts'

export interface FaultReport {
  /** Faults that struck; the others waited for a call that did not come. */
  struck: number
  acknowledged: number
  /** The longest that it took until nobody on the failed directory was acknowledged any more. */
  offlineAfterMs: number
}

export interface FaultOptions {
  readonly faults: readonly Fault[]
  /** Strikes the only directory, which has the metadata too: the broker can't go on then, and the program can. */
  readonly metadata?: boolean
}

const PATIENCE_MS = 2000

const clear: readonly number[] = [ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_LEADER_OR_FOLLOWER]

const nameOf = ({ kind, error, nth }: Fault): string => `${kind} ${nth}, ${error}`

const isSoon = (holds: () => boolean): Promise<boolean> =>
  eventually(holds, answer => answer, PATIENCE_MS).catch(() => false)

/** @throws Violation, which names the fault. */
export const faultRounds = async ({ faults, metadata = false }: FaultOptions): Promise<FaultReport> => {
  const folder = temporaryFolder('faults')
  const [sound, struck] = [join(folder, 'sound'), join(folder, 'struck')]
  const preload = await Preload.for(struck)
  const dirs = metadata ? [struck] : [sound, struck]
  const workload = new Workload()
  const report: FaultReport = { struck: 0, acknowledged: 0, offlineAfterMs: 0 }
  let server: Server | undefined

  const start = () => {
    server = startEmbedded({ dirs, flush: 'group', env: preload.env })
    return server
  }
  const first = start()
  await workload.prepare(await first.listening)
  const stop = async (): Promise<void> => {
    await server?.running.kill('SIGKILL')
    server = undefined
  }

  const isAlive = async ({ running }: Server, what: string): Promise<void> => {
    running.child.stdin?.write(`${what}\n`)
    await running.sees(new RegExp(`heard ${what}`))
  }

  /** Nobody on a directory whose sync failed is acknowledged any more; the others are. */
  const isOffline = async (port: number): Promise<void> => {
    const beganMs = performance.now()
    const inStruck = new Set(readdirSync(struck))
    const isHit = ({ topic, partition }: PartitionLoad) => inStruck.has(`${topic}-${partition}`)
    const hit = workload.partitions.filter(isHit)
    const others = workload.partitions.filter(load => !isHit(load))
    await eventually(
      () => hit.filter(({ isRunning }) => isRunning).map(({ topic, partition }) => `${topic}-${partition}`),
      running => running.length === 0,
    )
    report.offlineAfterMs = Math.max(report.offlineAfterMs, Math.round(performance.now() - beganMs))
    const client = await WireClient.connect(port)
    for (const load of hit) {
      const refusal = await load.run(client, () => true).catch((error: Error) => error)
      if (!(refusal instanceof Refused) || !clear.includes(refusal.code))
        throw new Violation(`${load.topic}-${load.partition} on a failed directory answers ${refusal}`)
    }
    await client.close()
    const before = others.map(({ acknowledged }) => acknowledged)
    await eventually(
      () => others.every(({ acknowledged }, index) => acknowledged > (before[index] as number)),
      all => all,
    )
  }

  const strike = async (fault: Fault): Promise<void> => {
    const current = server ?? start()
    const port = await current.listening
    await workload.check(port)
    let disturbed = false
    let goes = true
    const load = workload.run(
      port,
      () => disturbed,
      () => goes,
    )
    // A failure of the load shows when it is awaited.
    load.catch(() => {})
    const before = workload.acknowledged
    await Promise.race([
      eventually(
        () => workload.acknowledged,
        count => count > before + 50,
      ),
      load,
    ])
    disturbed = true
    preload.arm(fault)
    const hasStruck = await Promise.race([isSoon(() => preload.hit), load.then(() => preload.hit)])
    if (hasStruck) report.struck++
    if (hasStruck && fault.kind === 'sync') {
      await isOffline(port)
      if (preload.syncedAgain > 0) throw new Violation('a file whose sync failed was synced again')
    }
    await isAlive(current, `after-${fault.kind}-${fault.nth}`)
    goes = false
    await load
    await stop()
    preload.disarm()
  }

  try {
    for (const fault of faults) {
      try {
        await strike(fault)
      } catch (error) {
        const said = server?.running.stderr().slice(-2000) ?? ''
        throw new Violation(`${nameOf(fault)}: ${(error as Error).message}\n${said}`, { cause: error })
      }
    }
    await workload.check(await start().listening)
    report.acknowledged = workload.acknowledged
    return report
  } finally {
    await stop()
    removeFolder(folder)
  }
}
