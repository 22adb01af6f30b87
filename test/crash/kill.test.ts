/**
 * kill -9 under load, several times over the same directory: every acknowledged record is there, in order, none twice.
 * What had no answer yet is sent again with its sequence, as an idempotent producer does.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts'
import { createTopic, newProducer, type ProducerIdentity, produceBatch, readAll } from '../support/records-client.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 180_000

const test = suite('kill -9')

const partitions = 4
const inFlight = 5
const recordsPerBatch = 3

/** One partition's producer: batch n holds the records n * 3 ... n * 3 + 2, with those sequences. */
class Load {
  readonly partition: number
  #identity: ProducerIdentity | undefined
  #acknowledged = new Set<number>()
  /** All batches below it are acknowledged: what is sent again begins here. */
  #settled = 0

  constructor(partition: number) {
    this.partition = partition
  }

  get acknowledgedBatches(): number {
    return this.#acknowledged.size
  }

  get settledBatches(): number {
    return this.#settled
  }

  /** Produces until the connection breaks or `enough` says so; five batches in flight at most. */
  async run(port: number, enough: () => boolean): Promise<void> {
    const client = await WireClient.connect(port)
    try {
      this.#identity ??= await newProducer(client)
      let next = this.#settled
      const lane = async (): Promise<void> => {
        while (!enough()) {
          // A batch goes out only while the oldest open one is among the last five.
          if (next - this.#settled >= inFlight) return
          await this.#send(client, next++)
        }
      }
      while (!enough()) await Promise.all(Array.from({ length: inFlight }, lane))
    } finally {
      await client.close()
    }
  }

  async #send(client: WireClient, batch: number): Promise<void> {
    const values = Array.from({ length: recordsPerBatch }, (_, index) => `${batch * recordsPerBatch + index}`)
    const identity = { ...(this.#identity as ProducerIdentity), baseSequence: batch * recordsPerBatch }
    const target = { topic: 'load', partition: this.partition, acks: -1 } as const
    const { errorCode, baseOffset } = await produceBatch(client, target, values, identity)
    assert.is(errorCode, 0, `batch ${batch} of partition ${this.partition}`)
    assert.is(baseOffset, batch * recordsPerBatch)
    this.#acknowledged.add(batch)
    while (this.#acknowledged.has(this.#settled)) this.#settled += 1
  }
}

const killUnderLoad = async (flush: 'group' | 'os'): Promise<void> => {
  const dir = temporaryFolder('kill')
  const args = ['--flush', flush]
  let broker: BrokerProcess = await startBrokerProcess(dir, { args })
  const first = await WireClient.connect(broker.port)
  await createTopic(first, 'load', partitions)
  await first.close()
  const loads = Array.from({ length: partitions }, (_, partition) => new Load(partition))
  const total = (): number => loads.reduce((sum, load) => sum + load.acknowledgedBatches, 0)

  for (const more of [40, 150, 400]) {
    const goal = total() + more
    const running = loads.map(load =>
      load
        .run(broker.port, () => false)
        .catch((error: Error) => {
          if (!/closed/.test(error.message)) throw error
        }),
    )
    while (total() < goal) await new Promise(resolve => setTimeout(resolve, 2))
    await broker.kill()
    await Promise.all(running)
    broker = await startBrokerProcess(dir, { args })
  }

  // Whatever was not answered goes out again, and a little more.
  const goal = Math.max(...loads.map(load => load.settledBatches)) + 20
  await Promise.all(loads.map(load => load.run(broker.port, () => load.settledBatches >= goal)))

  const reader = await WireClient.connect(broker.port)
  for (const load of loads) {
    const records = await readAll(reader, 'load', load.partition)
    assert.ok(records.length >= goal * recordsPerBatch)
    for (const [index, { offset, value }] of records.entries()) {
      if (offset !== index || value !== `${index}`)
        assert.unreachable(`record ${index}: offset ${offset} holds ${value}`)
    }
  }
  await reader.close()
  const { code } = await broker.stop()
  assert.is(code, 0)
}

for (const flush of ['group', 'os'] as const) {
  test(`every acknowledged record is there, in order, none twice, when the broker is killed under load with flush=${flush}`, () =>
    killUnderLoad(flush))
}

test.run()
