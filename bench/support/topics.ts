/** Topics for the measurements, made by a foreign client so that both brokers are asked in the same way. */
import { type Admin, Kafka, logLevel } from 'kafkajs'
import type { RunningBroker } from './peers.ts'

/** Resolves when every partition has a leader. */
export async function createTopic(
  broker: RunningBroker,
  topic: string,
  options: { partitions?: number; config?: Record<string, string> } = {},
): Promise<void> {
  const admin = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).admin()
  const numPartitions = options.partitions ?? 1
  await admin.connect()
  try {
    const configEntries = Object.entries(options.config ?? {}).map(([name, value]) => ({ name, value }))
    await admin.createTopics({
      // The client's own waiting gives up when the topic is not in the metadata at once.
      waitForLeaders: false,
      topics: [{ topic, numPartitions, replicationFactor: 1, configEntries }],
    })
    const deadline = performance.now() + 60_000
    while (!(await isLed(admin, topic, numPartitions))) {
      if (performance.now() > deadline) throw new Error(`${topic} has no leaders after 60 s`)
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  } finally {
    await admin.disconnect()
  }
}

async function isLed(admin: Admin, topic: string, partitions: number): Promise<boolean> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const found = topics[0]?.partitions ?? []
    return found.length === partitions && found.every(({ leader }) => leader >= 0)
  } catch {
    return false
  }
}
