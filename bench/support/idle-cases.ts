/**
 * Partitions at rest: what each costs, whether producers beside them feel it, and how long a broker that has them
 * takes to start. Each case starts brokers of its own.
 *
 * Invariants: everything counts from the same broker just before it had them, warm and with one topic. Memory is that
 * of the process as the system sees it; beside it, where the runtime tells, what is left of JavaScript's heap after a
 * collection, and what isn't heap.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Case, firstLine } from './interleaved.ts'
import { cpuSeconds, memory } from './machine.ts'
import { createTopics, fill, scaled, serve, start } from './many-partitions.ts'
import { type RunningBroker, root } from './peers.ts'
import { rawLoop } from './raw.ts'
import { createTopic } from './topics.ts'

/** A broker that doesn't listen by then is given up. */
const START_SECONDS = 180

interface Idle {
  readonly partitions: number
  /** Apache Kafka gets fewer where it can't have as many; its figures are those of one partition all the same. */
  readonly kafkaPartitions: number
  /** Each takes a record before it rests. */
  readonly written: boolean
  readonly restSeconds: number
  /** Stopped and started again with them, cleanly and after kill -9. */
  readonly restarts: boolean
}

const mapsOf = (pid: number): number => readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').length - 1
const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length
const bytesOf = (pid: number): number => memory(pid).rssAnonMb * 2 ** 20

interface Heap {
  readonly heapBytes: number
  readonly otherBytes: number
}

/** undefined of a broker that isn't ours, and on another runtime than Node. */
async function heapOf(broker: RunningBroker): Promise<Heap | undefined> {
  const path = join(broker.dataFolder, 'heap')
  if (broker.peer !== 'odradek' || !isNode()) return undefined
  rmSync(path, { force: true })
  process.kill(broker.pid, 'SIGUSR2')
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; ) {
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Heap
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return undefined
}

const isNode = (): boolean => (process.env['ODRADEK_BENCH_RUNTIME'] ?? process.execPath).endsWith('node')

function idle({ partitions, kafkaPartitions, written, restSeconds, restarts }: Idle): Case {
  return {
    fsync: false,
    alone: true,
    rounds: 1,
    async run({ peer, topic, scale, lacks }) {
      const count = scaled(peer === 'odradek' ? partitions : kafkaPartitions, scale)
      const port = peer === 'odradek' ? 21992 : 22092
      const preload = isNode() ? { preload: join(root, 'bench', 'support', 'heap-probe.cjs') } : {}
      let broker = await start(peer, { port, fsync: false, ...preload })
      const single = { connections: 1, requests: 20_000, recordBytes: 100 }
      try {
        await createTopic(broker, `${topic}-busy`)
        const alone = await rawLoop(broker, `${topic}-busy`, single)
        const { pid } = broker
        const before = { bytes: bytesOf(pid), descriptors: descriptorsOf(pid), maps: mapsOf(pid) }
        const heapBefore = await heapOf(broker)
        const began = performance.now()
        await createTopics(broker, topic, count)
        const createdSeconds = (performance.now() - began) / 1000
        if (written) await fill(broker, topic, count, 0, 100)
        await new Promise(resolve => setTimeout(resolve, restSeconds * 1000))
        const beside = await rawLoop(broker, `${topic}-busy`, single)
        const after = { bytes: bytesOf(pid), descriptors: descriptorsOf(pid), maps: mapsOf(pid) }
        const heap = await heapOf(broker)
        const figures: Record<string, number> = {
          partitions: count,
          createdSeconds,
          bytesEach: (after.bytes - before.bytes) / count,
          descriptorsEach: (after.descriptors - before.descriptors) / count,
          mapsEach: (after.maps - before.maps) / count,
          p50AloneUs: alone['p50Us'] ?? Number.NaN,
          p50BesideUs: beside['p50Us'] ?? Number.NaN,
          p99AloneUs: alone['p99Us'] ?? Number.NaN,
          p99BesideUs: beside['p99Us'] ?? Number.NaN,
        }
        if (heap !== undefined && heapBefore !== undefined) {
          figures['heapBytesEach'] = (heap.heapBytes - heapBefore.heapBytes) / count
          figures['nativeBytesEach'] = (heap.otherBytes - heapBefore.otherBytes) / count
        }
        for (const kill of restarts ? [false, true] : []) {
          const how = kill ? 'Killed' : 'Clean'
          const stopping = performance.now()
          await broker.stop({ keep: true, kill })
          if (!kill) figures['stoppedSeconds'] = (performance.now() - stopping) / 1000
          const starting = performance.now()
          try {
            broker = await start(peer, {
              port,
              fsync: false,
              dataFolder: broker.dataFolder,
              startSeconds: START_SECONDS,
            })
            await serve(broker, topic, count)
          } catch (error) {
            lacks(firstLine(error))
            break
          }
          figures[`servedAfter${how}Seconds`] = (performance.now() - starting) / 1000
          figures[`cpuAfter${how}Seconds`] = cpuSeconds(broker.pid)
        }
        return figures
      } finally {
        await broker.stop()
      }
    },
  }
}

const resting = { partitions: 10_000, kafkaPartitions: 10_000, written: true, restSeconds: 150, restarts: false }
const many = { partitions: 100_000, kafkaPartitions: 10_000, written: false, restSeconds: 5, restarts: true }

export const idleCases: ReadonlyMap<string, Case> = new Map<string, Case>([
  ['idle-partitions', idle(resting)],
  ['idle-100k', idle(many)],
])
