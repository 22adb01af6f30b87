/**
 * What is measured, by name. Each case runs one client against one broker and returns figures.
 */
import { readdirSync } from 'node:fs'
import type { Case } from './interleaved.ts'
import { cpuSeconds, memory, withBrokerCpu } from './machine.ts'
import { type RunningBroker, startKafka, startOdradek } from './peers.ts'
import { echoLoop, pinnedLoop, rawLoop } from './raw.ts'
import { javaProduce, rdkafkaConsume, rdkafkaProduce } from './tools.ts'
import { createTopic } from './topics.ts'

function produceByRdkafka(size: number, records: number): Case {
  return {
    fsync: false,
    async run({ broker, topic, scale }) {
      if (broker === undefined) throw new Error('needs a running broker')
      const count = Math.round(records * scale)
      await createTopic(broker, topic)
      const { result, cpu } = await withBrokerCpu(broker.pid, () =>
        rdkafkaProduce({ bootstrap: broker.bootstrap, topic, records: count, size }),
      )
      return { ...result, brokerCpuSecondsPerGb: cpu / ((count * size) / 1e9) }
    },
  }
}

function produceByJava(batch: number, records: number, fsync: boolean): Case {
  const size = 1024
  return {
    fsync,
    async run({ broker, topic, scale }) {
      if (broker === undefined) throw new Error('needs a running broker')
      const count = Math.round(records * scale)
      await createTopic(broker, topic)
      const { result, cpu } = await withBrokerCpu(broker.pid, () =>
        javaProduce({
          bootstrap: broker.bootstrap,
          topic,
          records: count,
          size,
          properties: { 'batch.size': `${batch}` },
        }),
      )
      return { ...result, brokerCpuSecondsPerGb: cpu / ((count * (4 / 3) * size) / 1e9) }
    },
  }
}

/** Reads what an untimed producer wrote just before: hot in the page cache. */
function consumeByRdkafka(size: number, records: number): Case {
  return {
    fsync: false,
    async run({ broker, topic, scale }) {
      if (broker === undefined) throw new Error('needs a running broker')
      const count = Math.round(records * scale)
      await createTopic(broker, topic)
      await rdkafkaProduce({ bootstrap: broker.bootstrap, topic, records: count, size })
      const { result, cpu } = await withBrokerCpu(broker.pid, () =>
        rdkafkaConsume({ bootstrap: broker.bootstrap, topic, records: count }),
      )
      return { ...result, brokerCpuSecondsPerGb: cpu / ((count * size) / 1e9) }
    },
  }
}

/** One record of 100 bytes a request, so many connections, one request in flight on each. */
function singleRecords(connections: number, requests: number, fsync: boolean): Case {
  return {
    fsync,
    async run({ broker, topic, scale }) {
      if (broker === undefined) throw new Error('needs a running broker')
      await createTopic(broker, topic)
      const options = { connections, requests: Math.round(requests * scale), recordBytes: 100 }
      const figures = await rawLoop(broker, topic, options)
      if (fsync) return figures
      const echo = await echoLoop(options)
      return {
        ...figures,
        echoRequestsPerSecond: echo.requestsPerSecond ?? Number.NaN,
        echoP50Us: echo.p50Us ?? Number.NaN,
      }
    },
  }
}

function start(
  peer: 'odradek' | 'kafka',
  options: { port: number; fsync: boolean; pin?: string },
): Promise<RunningBroker> {
  return peer === 'odradek' ? startOdradek(options) : startKafka(options)
}

export const cases: ReadonlyMap<string, Case> = new Map<string, Case>([
  ['produce-rdkafka-100b', produceByRdkafka(100, 3_000_000)],
  ['produce-rdkafka-1k', produceByRdkafka(1024, 700_000)],
  ['produce-java-1k-16k', produceByJava(16_384, 200_000, false)],
  ['produce-java-1k-128k', produceByJava(131_072, 400_000, false)],
  ['consume-rdkafka-1k', consumeByRdkafka(1024, 1_500_000)],
  ['single-1-connection', singleRecords(1, 20_000, false)],
  ['single-50-connections', singleRecords(50, 200_000, false)],
  [
    'single-1-connection-one-core',
    {
      fsync: false,
      alone: true,
      /** Broker, its runtime and the client share core 0: no wake-up crosses cores. */
      async run({ peer, topic, scale }) {
        const broker = await start(peer, { port: 21392, fsync: false, pin: '0' })
        try {
          await createTopic(broker, topic)
          await rawLoop(broker, topic, { connections: 1, requests: 60_000, recordBytes: 100, pin: 0 })
          return await pinnedLoop(broker, topic, {
            connections: 1,
            requests: Math.round(20_000 * scale),
            recordBytes: 100,
            pin: 0,
          })
        } finally {
          await broker.stop()
        }
      },
    },
  ],
  [
    'start',
    {
      fsync: true,
      alone: true,
      async run({ peer, topic }) {
        const began = performance.now()
        const broker = await start(peer, { port: 21492, fsync: true })
        try {
          await createTopic(broker, topic)
          await rawLoop(broker, topic, { connections: 1, requests: 1, recordBytes: 100 })
          const firstProduceSeconds = (performance.now() - began) / 1000
          const cpu = cpuSeconds(broker.pid)
          await new Promise(resolve => setTimeout(resolve, 10_000))
          const idle = memory(broker.pid)
          return {
            listeningSeconds: broker.listeningAfterSeconds,
            firstProduceSeconds,
            idleRssAnonMb: idle.rssAnonMb,
            idleRssFileMb: idle.rssFileMb,
            idleCpuPercent: ((cpuSeconds(broker.pid) - cpu) / 10) * 100,
            idleThreads: idle.threads,
          }
        } finally {
          await broker.stop()
        }
      },
    },
  ],
  [
    'memory-after-2gb',
    {
      fsync: false,
      alone: true,
      async run({ peer, topic, scale }) {
        const broker = await start(peer, { port: 21592, fsync: false })
        try {
          await createTopic(broker, topic)
          await rdkafkaProduce({
            bootstrap: broker.bootstrap,
            topic,
            records: Math.round(2_000_000 * scale),
            size: 1024,
          })
          const after = memory(broker.pid)
          return { rssAnonMb: after.rssAnonMb, rssFileMb: after.rssFileMb }
        } finally {
          await broker.stop()
        }
      },
    },
  ],
  [
    'partitions-1000',
    {
      fsync: true,
      alone: true,
      async run({ peer, topic }) {
        const broker = await start(peer, { port: 21692, fsync: true })
        try {
          const began = performance.now()
          await createTopic(broker, topic, { partitions: 1000 })
          const createdSeconds = (performance.now() - began) / 1000
          await rawLoop(broker, topic, { connections: 1, requests: 1, recordBytes: 100, partition: 999 })
          return {
            createdSeconds,
            lastTakesProduceSeconds: (performance.now() - began) / 1000,
            descriptors: readdirSync(`/proc/${broker.pid}/fd`).length,
            rssAnonMb: memory(broker.pid).rssAnonMb,
          }
        } finally {
          await broker.stop()
        }
      },
    },
  ],
  ['produce-java-1k-128k-fsync', produceByJava(131_072, 60_000, true)],
  ['produce-java-1k-16k-fsync', produceByJava(16_384, 40_000, true)],
  ['single-50-connections-fsync', singleRecords(50, 8_000, true)],
  ['single-1-connection-fsync', singleRecords(1, 3_000, true)],
])
