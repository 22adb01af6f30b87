/**
 * A thousand partitions in a process that may have few descriptors: all of them take records, none holds a file for
 * good, and after kill -9 they are there again.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { buildBatch } from '../../src/records/builder.ts'
import { odradekCommand } from '../support/broker-process.ts'
import { type Running, startProgram } from '../support/process.ts'
import { createTopic, readAll } from '../support/records-client.ts'
import { requires } from '../support/requires.ts'
import { removeFolder, temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 180_000

const test = suite('many partitions')

const partitions = 1_000
const descriptors = 512
/** A quarter of the descriptors is for files of logs; some others are always open. */
const mostFiles = descriptors / 4 + 16

const serve = async (dir: string): Promise<{ broker: Running; client: WireClient }> => {
  const [program, args] = odradekCommand()
  const command = [program, ...args, 'serve', '--host', '127.0.0.1', '--port', '0', '--dir', dir]
  const broker = startProgram('sh', ['-c', `ulimit -n ${descriptors}; exec "$@"`, 'sh', ...command], {
    env: { ODRADEK_LOG_FORMAT: 'json' },
  })
  const [, port] = await broker.sees(/listening on 127\.0\.0\.1:(\d+)/, 60_000)
  return { broker, client: await WireClient.connect(Number(port)) }
}

/** Files below the folder that the process has open. */
const filesOpen = (pid: number, dir: string): number =>
  readdirSync(`/proc/${pid}/fd`).filter(descriptor => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${descriptor}`).startsWith(`${dir}/many-`)
    } catch {
      return false
    }
  }).length

const isMapped = (pid: number, dir: string): boolean =>
  readFileSync(`/proc/${pid}/maps`, 'utf8').includes(`${dir}/many-`)

/** One record to each partition, all in one request, until each has taken it. */
const produceToAll = async (client: WireClient): Promise<void> => {
  const value = new TextEncoder().encode('kept')
  let left = Array.from({ length: partitions }, (_, index) => index)
  while (left.length > 0) {
    const partitionData = left.map(index => ({
      index,
      records: buildBatch([{ key: null, value }], { baseOffset: 0, leaderEpoch: -1, timestamp: BigInt(Date.now()) }),
    }))
    const { responses } = await client.send(produce, 9, {
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: 'many', partitionData }],
    })
    const answers = responses[0]?.partitionResponses ?? []
    assert.is(answers.length, left.length)
    left = answers.filter(({ errorCode }) => errorCode !== 0).map(({ index }) => index)
  }
}

test('partitions that nobody uses hold no descriptor and no mapping, and used ones a bounded number', async () => {
  requires('linux')
  const dir = `${temporaryFolder('many')}/data`
  const first = await serve(dir)
  await createTopic(first.client, 'many', partitions)
  await produceToAll(first.client)
  // Those that were being synced when others were closed follow them at once.
  let open = filesOpen(first.broker.pid, dir)
  for (let tries = 0; tries < 100 && open > mostFiles; tries++) {
    await new Promise(resolve => setTimeout(resolve, 100))
    open = filesOpen(first.broker.pid, dir)
  }
  assert.ok(open <= mostFiles, `${open} files are open after ${partitions} partitions took a record`)
  assert.is(isMapped(first.broker.pid, dir), false)
  await first.client.close()
  await first.broker.kill('SIGKILL')

  const second = await serve(dir)
  assert.is(filesOpen(second.broker.pid, dir), 0, 'after the start')
  for (const index of [0, 777, partitions - 1]) {
    const records = await readAll(second.client, 'many', index)
    assert.equal(records, [{ offset: 0, value: 'kept' }], `partition ${index}`)
  }
  await second.client.close()
  const { code } = await second.broker.kill('SIGTERM')
  assert.is(code, 0)
  // So many files take seconds to go, which at the process's end would count as something left open.
  removeFolder(dir)
})

test.run()
