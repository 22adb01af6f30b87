/**
 * How long a broker with many partitions takes to serve again after kill -9. Each case starts brokers of its own, and
 * ends a peer's turn that takes too long.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fioReads } from './fio.ts'
import type { Case } from './interleaved.ts'
import { cpuSeconds, memory } from './machine.ts'
import { createTopics, fill, scaled, serve, start } from './many-partitions.ts'

/** A broker that doesn't listen by then is given up. */
const START_SECONDS = 180

interface Restart {
  readonly fsync: boolean
  readonly partitions: number
  readonly bytes: number
  readonly batch: number
  /** What is read at the start comes from the disk; fio's rate beside it. */
  readonly cold?: boolean
}

/** Started, filled, killed, and timed until its last partition takes a record again. */
function restart({ fsync, partitions, bytes, batch, cold = false }: Restart): Case {
  return {
    fsync,
    alone: true,
    rounds: 3,
    async run({ peer, topic, scale }) {
      const count = scaled(partitions, scale)
      const port = peer === 'odradek' ? 21792 : 21892
      const first = await start(peer, { port, fsync })
      let running = first
      try {
        await createTopics(first, topic, count)
        await fill(first, topic, count, bytes * scale, batch)
        await serve(first, topic, count)
        await first.stop({ kill: true, keep: true })
        const files = cold ? filesBelow(first.dataFolder) : []
        files.forEach(forget)
        const fioReadMbps = cold ? fioReads(files) : undefined
        files.forEach(forget)
        const began = performance.now()
        running = await start(peer, { port, fsync, dataFolder: first.dataFolder, startSeconds: START_SECONDS })
        await serve(running, topic, count)
        const servedSeconds = (performance.now() - began) / 1000
        return {
          listeningSeconds: running.listeningAfterSeconds,
          servedSeconds,
          startCpuSeconds: cpuSeconds(running.pid),
          rssAnonMb: memory(running.pid).rssAnonMb,
          ...(cold ? { recoveredMbps: (bytes * scale) / 1e6 / servedSeconds } : {}),
          ...(fioReadMbps === undefined ? {} : { fioReadMbps }),
        }
      } finally {
        await running.stop()
      }
    },
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.log'))
    .map(name => join(folder, name))
    .filter(path => statSync(path).isFile())
}

/** Brings a file to the disk, and takes it out of the system's cache. */
function forget(path: string): void {
  execFileSync('dd', [
    `of=${path}`,
    'oflag=nocache',
    'conv=notrunc,fdatasync',
    'count=0',
    'status=none',
    'if=/dev/null',
  ])
}

export const restartCases: ReadonlyMap<string, Case> = new Map<string, Case>([
  ['restart-5gb-1000-partitions', restart({ fsync: true, partitions: 1_000, bytes: 5e9, batch: 16_384 })],
  ['restart-10000-partitions', restart({ fsync: true, partitions: 10_000, bytes: 0, batch: 100 })],
  ['restart-2gb-cold', restart({ fsync: false, partitions: 100, bytes: 2e9, batch: 16_384, cold: true })],
])
