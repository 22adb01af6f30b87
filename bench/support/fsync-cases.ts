/**
 * Producers that wait for the disk: one and sixteen, 1 KiB records, with the disk's own rate at the batch's size beside
 * them; and the same sixteen with the page cache alone.
 *
 * Invariants: a producer is a connection. A disk drifts within seconds, so the loop and fio take
 * turns, and medians count.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fioSyncs } from './fio.ts'
import type { Case } from './interleaved.ts'
import { median } from './machine.ts'
import { benchFolder } from './peers.ts'
import { rawLoop } from './raw.ts'
import { createTopic } from './topics.ts'

const TURNS = 3
const RECORD_BYTES = 1024

/** `records` of 1 KiB a request, `depth` requests in flight on each of so many connections. */
function producers(connections: number, depth: number, records: number, requests: number, fsync: boolean): Case {
  return {
    fsync,
    async run({ broker, topic, scale }) {
      if (broker === undefined) throw new Error('needs a running broker')
      await createTopic(broker, topic)
      const options = { connections, depth, records, recordBytes: RECORD_BYTES, requests: Math.ceil(requests * scale) }
      const turns: Record<string, number>[] = []
      for (let turn = 0; turn < TURNS; turn++) {
        const { requestsPerSecond = Number.NaN, ...loop } = await rawLoop(broker, topic, options)
        const rates = { recordsPerSecond: requestsPerSecond * records, requestsPerSecond }
        turns.push({
          ...rates,
          ...only(loop, 'p50Us', 'p99Us', 'brokerCpuUsPerRequest'),
          ...(fsync ? fio(records) : {}),
        })
      }
      const names = Object.keys(turns[0] ?? {})
      return Object.fromEntries(names.map(name => [name, median(turns.map(turn => turn[name] ?? Number.NaN))]))
    },
  }
}

function fio(records: number): Record<string, number> {
  const folder = mkdtempSync(join(benchFolder(), 'fio-'))
  try {
    const syncs = fioSyncs(folder, records * RECORD_BYTES, 1)
    return syncs === undefined ? {} : { fioRecordsPerSecond: syncs * records }
  } finally {
    rmSync(join(folder, '..'), { recursive: true, force: true })
  }
}

const only = (figures: Record<string, number>, ...names: string[]): Record<string, number> =>
  Object.fromEntries(names.map(name => [name, figures[name] ?? Number.NaN]))

export const fsyncCases: ReadonlyMap<string, Case> = new Map<string, Case>([
  ['produce-16-producers-1k', producers(16, 1, 1, 60_000, false)],
  ['produce-16-producers-16k', producers(16, 5, 16, 30_000, false)],
  ['produce-1-producer-1k-fsync', producers(1, 1, 1, 5_000, true)],
  ['produce-1-producer-16k-fsync', producers(1, 5, 16, 8_000, true)],
  ['produce-16-producers-1k-fsync', producers(16, 1, 1, 15_000, true)],
  ['produce-16-producers-16k-fsync', producers(16, 5, 16, 12_000, true)],
])
