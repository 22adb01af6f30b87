/**
 * Odradek and Apache Kafka beside each other in one run, interleaved, under the same clients.
 *
 *   npm run bench -- broker [--cases a,b] [--rounds 3] [--warm-seconds 60] [--scale 1] [--out FILE]
 *
 * Invariants: each round measures the peers one after the other in alternating order (A B, B A, …) on a topic of its own;
 * a case without a figure of both peers fails the run; broker CPU is that of the whole broker process, the client's
 * warm-up included. Figures are per mode: page cache (Odradek `flush=os`, Kafka's default) or fsync before the answer
 * (Odradek `flush=group`, Kafka `flush.messages=1`), each mode with brokers of its own.
 */
import { parseArgs } from 'node:util'
import { type Case, cases } from './support/cases.ts'
import { type RunningBroker, startKafka, startOdradek } from './support/peers.ts'
import { Report } from './support/report.ts'
import { rdkafkaProduce } from './support/tools.ts'
import { createTopic } from './support/topics.ts'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    'warm-seconds': { type: 'string', default: '60' },
    scale: { type: 'string', default: '1' },
    out: {
      type: 'string',
      default: `bench/results/broker-${new Date().toISOString().slice(0, 16).replaceAll(':', '')}.json`,
    },
  },
})

const wanted = values.cases === '' ? [...cases.keys()] : values.cases.split(',')
const unknown = wanted.filter(name => !cases.has(name))
if (unknown.length > 0) {
  process.stderr.write(`unknown case ${unknown.join(', ')}; there are ${[...cases.keys()].join(', ')}\n`)
  process.exit(2)
}

const report = new Report('broker')
const failures: string[] = []
for (const fsync of [false, true]) {
  const chosen = wanted.map(name => [name, cases.get(name) as Case] as const).filter(([, one]) => one.fsync === fsync)
  if (chosen.length === 0) continue
  const brokers = chosen.some(([, one]) => one.alone !== true) ? await startBoth(fsync) : []
  try {
    for (const [name, one] of chosen) await measure(name, one, fsync, brokers)
  } finally {
    for (const broker of brokers) await broker.stop()
  }
}
report.print('odradek', 'kafka')
failures.push(...report.missing(['odradek', 'kafka']))
report.write(values.out)
for (const failure of failures) process.stderr.write(`failed: ${failure}\n`)
process.exit(failures.length > 0 ? 1 : 0)

async function startBoth(fsync: boolean): Promise<RunningBroker[]> {
  const brokers = [await startOdradek({ port: 21192, fsync }), await startKafka({ port: 21292, fsync })]
  for (const broker of brokers) {
    report.peers[`${broker.peer}, ${fsync ? 'fsync' : 'page cache'}`] = broker.effective
    await warm(broker, Number(values['warm-seconds']), fsync)
  }
  return brokers
}

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

async function measure(name: string, one: Case, fsync: boolean, brokers: RunningBroker[]): Promise<void> {
  const mode = fsync ? 'fsync' : 'page cache'
  for (let round = 1; round <= Number(values.rounds); round++) {
    const order =
      one.alone === true ? (['odradek', 'kafka'] as const) : round % 2 === 1 ? brokers : [...brokers].reverse()
    for (const who of order) {
      const peer = typeof who === 'string' ? who : who.peer
      try {
        const figures = await one.run({
          peer: peer as 'odradek' | 'kafka',
          broker: typeof who === 'string' ? undefined : who,
          topic: `${name}-${round}`,
          scale: Number(values.scale),
        })
        report.add({ case: name, peer, mode, round, figures })
      } catch (error) {
        failures.push(`${name}, ${peer}, round ${round}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
}
