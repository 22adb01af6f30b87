/**
 * Storage of both brokers beside each other: producers that wait for the disk, the cleaner, idle partitions, and the
 * start after kill -9. The embedded log has `bench/append.ts`.
 *
 *   npm run bench -- storage [--only a,b] [--rounds 1] [--warm-seconds 20] [--scale 1] [--peers odradek,kafka] [--out FILE]
 */
import { parseArgs } from 'node:util'
import { compactionCases } from './support/compaction-cases.ts'
import { fsyncCases } from './support/fsync-cases.ts'
import { idleCases } from './support/idle-cases.ts'
import { interleave } from './support/interleaved.ts'
import type { RunningBroker } from './support/peers.ts'
import { rawLoop } from './support/raw.ts'
import { resultPath } from './support/report.ts'
import { restartCases } from './support/restart-cases.ts'
import { createTopic } from './support/topics.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '1' },
    'warm-seconds': { type: 'string', default: '20' },
    scale: { type: 'string', default: '1' },
    peers: { type: 'string', default: 'odradek,kafka' },
    out: { type: 'string', default: resultPath('storage') },
  },
})

const code = await interleave({
  benchmark: 'storage',
  cases: new Map([...fsyncCases, ...compactionCases, ...idleCases, ...restartCases]),
  wanted: values.only,
  rounds: Number(values.rounds),
  scale: Number(values.scale),
  out: values.out,
  peers: values.peers.split(','),
  warm: broker => warm(broker, Number(values['warm-seconds'])),
})
process.exit(code)

/** The brokers that several cases share work for a while first; the others are measured as they start. */
async function warm(broker: RunningBroker, seconds: number): Promise<void> {
  const until = performance.now() + seconds * 1000
  await createTopic(broker, 'warm-up')
  while (performance.now() < until)
    await rawLoop(broker, 'warm-up', { connections: 16, requests: 2_000, recordBytes: 1024, records: 4 })
}
