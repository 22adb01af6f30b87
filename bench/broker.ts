/**
 * Odradek and Apache Kafka beside each other in one run, interleaved, under the same clients.
 *
 *   npm run bench -- broker [--only a,b] [--rounds 3] [--warm-seconds 60] [--scale 1] [--peers odradek,kafka] [--out FILE]
 *
 * Broker CPU is that of the whole broker process, the client's warm-up included.
 */
import { parseArgs } from 'node:util'
import { cases } from './support/cases.ts'
import { interleave } from './support/interleaved.ts'
import type { RunningBroker } from './support/peers.ts'
import { resultPath } from './support/report.ts'
import { rdkafkaProduce } from './support/tools.ts'
import { createTopic } from './support/topics.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    'warm-seconds': { type: 'string', default: '60' },
    scale: { type: 'string', default: '1' },
    peers: { type: 'string', default: 'odradek,kafka' },
    out: { type: 'string', default: resultPath('broker') },
  },
})

const code = await interleave({
  benchmark: 'broker',
  cases,
  wanted: values.only,
  rounds: Number(values.rounds),
  scale: Number(values.scale),
  out: values.out,
  peers: values.peers.split(','),
  warm: (broker, fsync) => warm(broker, Number(values['warm-seconds']), fsync),
})
process.exit(code)

/** A young JVM would flatter us: both brokers work for the same time before anything counts. */
async function warm(broker: RunningBroker, seconds: number, fsync: boolean): Promise<void> {
  const until = performance.now() + seconds * 1000
  await createTopic(broker, 'warm-up')
  while (performance.now() < until)
    await rdkafkaProduce({
      bootstrap: broker.bootstrap,
      topic: 'warm-up',
      records: fsync ? 100_000 : 1_000_000,
      size: 100,
    })
}
