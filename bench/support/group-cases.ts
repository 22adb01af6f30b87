/**
 * What is measured of consumer groups, by name. Members are driven by `bench/load` (support/group-load.ts), never by a
 * hundred clients; its own CPU is in the figures, so that a generator at its limit shows.
 */
import { groupLoad } from './group-load.ts'
import type { Case, CaseInput } from './interleaved.ts'
import { cpuSeconds, withBrokerCpu } from './machine.ts'
import { type RunningBroker, type StartOptions, startKafka, startOdradek } from './peers.ts'
import { consumerPerformance, endToEndLatency, rdkafkaProduce } from './tools.ts'
import { createTopic } from './topics.ts'

/** The topic that the members of a large group share; `warmGroups` makes it. */
const thousandPartitions = 'thousand'
const onePartition = 'committed'

/** Makes the topics and works for so long: a young JVM would flatter us. */
export async function warmGroups(broker: RunningBroker, seconds: number, fsync: boolean): Promise<void> {
  await createTopic(broker, thousandPartitions, { partitions: 1000 })
  await createTopic(broker, onePartition)
  // From here on groups are coordinated and every partition leads; nothing of that is charged to the warm-up.
  await groupLoad('classic', broker, { ...largeGroup, prefix: 'first', groups: 1 })
  const until = performance.now() + seconds * 1000
  for (let turn = 0; performance.now() < until; turn++) {
    await groupLoad('classic', broker, { ...largeGroup, prefix: `warm-up-${turn}`, groups: 10 })
    await groupLoad('commits', broker, {
      topic: onePartition,
      prefix: `warm-up-commits-${turn}`,
      groups: 50,
      connections: 50,
      requests: fsync ? 2_000 : 20_000,
    })
  }
}

const largeGroup = { topic: thousandPartitions, partitions: 1000, members: 100 }

function running({ broker }: CaseInput): RunningBroker {
  if (broker === undefined) throw new Error('needs a running broker')
  return broker
}

/**
 * A hundred members join at once, with the round for their member ids; then the leader of the live group joins again.
 */
function classicRebalance(fsync: boolean): Case {
  return {
    fsync,
    run: input => groupLoad('classic', running(input), { ...largeGroup, prefix: input.topic, groups: 10 }),
  }
}

/** The same with the consumer protocol, at the heartbeat interval that the broker names. */
function consumerRebalance(fsync: boolean): Case {
  return {
    fsync,
    rounds: 1,
    run: input => groupLoad('consumer', running(input), { ...largeGroup, prefix: input.topic, groups: 1 }),
  }
}

/** One partition's offset a commit; one commit in flight a connection, each by a stable member of its group. */
function commits(fsync: boolean, groups: number, connections: number, requests: number): Case {
  return {
    fsync,
    async run(input) {
      const count = Math.round(requests * input.scale)
      const { requestsPerSecond = Number.NaN, ...figures } = await groupLoad('commits', running(input), {
        topic: onePartition,
        prefix: input.topic,
        groups,
        connections,
        requests: count,
        'warm-up': Math.ceil(count / 5),
      })
      return { commitsPerSecond: requestsPerSecond, ...figures }
    },
  }
}

async function alone<T>(
  peer: CaseInput['peer'],
  options: StartOptions,
  use: (broker: RunningBroker) => Promise<T>,
  end: { keep?: boolean } = {},
): Promise<T> {
  const broker = await (peer === 'odradek' ? startOdradek(options) : startKafka(options))
  let kept = false
  try {
    const result = await use(broker)
    kept = end.keep === true
    return result
  } finally {
    await broker.stop({ keep: kept })
  }
}

/**
 * A restart with one commit and one with a million in the single partition of `__consumer_offsets`: seconds from exec
 * until a group's offsets are answered. Their difference is the load.
 */
const loadOffsets: Case = {
  fsync: false,
  alone: true,
  rounds: 1,
  async run({ peer, scale }) {
    const [topic, partitions, groups, prefix] = ['loaded', 100, 100, 'loaded']
    const requests = Math.round(10_000 * scale)
    const options: StartOptions = { port: 21392, fsync: false, config: { 'offsets.topic.num.partitions': '1' } }
    const commit = (broker: RunningBroker, count: number) =>
      groupLoad('commits', broker, { topic, partitions, groups, prefix, connections: 8, outside: 1, requests: count })
    const dataFolder = await alone(
      peer,
      options,
      async broker => {
        await createTopic(broker, topic, { partitions })
        await commit(broker, 1)
        return broker.dataFolder
      },
      { keep: true },
    )
    const restart = async (keep: boolean, newest: number, then: (broker: RunningBroker) => Promise<unknown>) => {
      const began = performance.now()
      return await alone(
        peer,
        { ...options, dataFolder },
        async broker => {
          const { offsets, largestOffset } = await groupLoad('offsets', broker, { prefix: `${prefix}-0` })
          const seconds = (performance.now() - began) / 1000
          const cpu = cpuSeconds(broker.pid)
          if (offsets !== partitions || largestOffset !== newest)
            throw new Error(`read ${offsets} offsets up to ${largestOffset}, not ${partitions} up to ${newest}`)
          await then(broker)
          return { seconds, cpu }
        },
        { keep },
      )
    }
    const empty = await restart(true, 0, broker => commit(broker, requests))
    const full = await restart(false, requests - groups, async () => {})
    return {
      commits: requests * partitions,
      startSeconds: empty.seconds,
      startLoadedSeconds: full.seconds,
      loadSeconds: full.seconds - empty.seconds,
      loadCpuSeconds: full.cpu - empty.cpu,
    }
  },
}

/** 1,000 groups of ten idle members each, on a broker of its own. The delay lets each group form in one generation. */
function idle(protocol: 'classic' | 'consumer'): Case {
  return {
    fsync: false,
    alone: true,
    rounds: 1,
    run: ({ peer, topic, scale }) =>
      alone(
        peer,
        { port: 21492, fsync: false, config: { 'group.initial.rebalance.delay.ms': '100' } },
        async broker => {
          await createTopic(broker, topic, { partitions: 10 })
          return await groupLoad('idle', broker, {
            protocol,
            topic,
            groups: Math.round(1000 * scale),
            members: 10,
            connections: 1000,
            'settle-seconds': 8,
            'rest-seconds': 12,
          })
        },
      ),
  }
}

export const groupCases: ReadonlyMap<string, Case> = new Map<string, Case>([
  ['rebalance-classic', classicRebalance(false)],
  ['rebalance-consumer', consumerRebalance(false)],
  ['commit-1-member', commits(false, 1, 1, 10_000)],
  ['commit-1-group', commits(false, 1, 50, 40_000)],
  ['commit-50-groups', commits(false, 50, 50, 80_000)],
  [
    'consume-java-1k',
    {
      fsync: false,
      /** Reads what an untimed producer wrote just before: hot in the page cache. */
      async run(input) {
        const broker = running(input)
        const [records, size] = [Math.round(1_500_000 * input.scale), 1024]
        await createTopic(broker, input.topic)
        await rdkafkaProduce({ bootstrap: broker.bootstrap, topic: input.topic, records, size })
        const { result, cpu } = await withBrokerCpu(broker.pid, () =>
          consumerPerformance({ bootstrap: broker.bootstrap, topic: input.topic, records }),
        )
        return { ...result, brokerCpuSecondsPerGb: cpu / ((records * size) / 1e9) }
      },
    },
  ],
  [
    'end-to-end',
    {
      fsync: false,
      async run(input) {
        const broker = running(input)
        await createTopic(broker, input.topic)
        const records = Math.round(10_000 * input.scale)
        return await endToEndLatency({ bootstrap: broker.bootstrap, topic: input.topic, records, size: 100 })
      },
    },
  ],
  ['load-1m-commits', loadOffsets],
  ['idle-classic', idle('classic')],
  ['idle-consumer', idle('consumer')],
  ['rebalance-classic-fsync', classicRebalance(true)],
  ['rebalance-consumer-fsync', consumerRebalance(true)],
  ['commit-1-member-fsync', commits(true, 1, 1, 3_000)],
  ['commit-1-group-fsync', commits(true, 1, 50, 30_000)],
  ['commit-50-groups-fsync', commits(true, 50, 50, 15_000)],
])
