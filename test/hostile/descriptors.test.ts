/**
 * A broker that may have few files open, and clients that take what they can get: it refuses some of them and goes on.
 */
import { readdirSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { odradekCommand } from '../support/broker-process.ts'
import { startProgram } from '../support/process.ts'
import { createTopic, produceBatch } from '../support/records-client.ts'
import { requires } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 120_000

const FILES = 256
const PARTITIONS = 400
const test = suite('few descriptors')

const startLimited = async () => {
  const [program, args] = odradekCommand()
  const serve = [...args, 'serve', '--host', '127.0.0.1', '--port', '0', '--dir', temporaryFolder('descriptors')]
  const running = startProgram('sh', ['-c', `ulimit -n ${FILES} && exec "$0" "$@"`, program, ...serve])
  const [, port] = await running.sees(/listening on 127\.0\.0\.1:(\d+)/, 30_000)
  return { running, port: Number(port) }
}

test('neither one fetch of all partitions nor a flood of connections takes the log directory offline', async () => {
  requires('linux')
  const { running, port } = await startLimited()
  const client = await WireClient.connect(port)
  await createTopic(client, 'many', PARTITIONS)
  const send = async (partition: number) =>
    (await produceBatch(client, { topic: 'many', partition, acks: -1 }, ['x'])).errorCode
  const sendAll = () => Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => send(partition)))
  assert.equal([...new Set(await sendAll())], [0])

  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => {
    return { partition, currentLeaderEpoch: -1, fetchOffset: 0, partitionMaxBytes: 1 << 20 }
  })
  const { responses } = await client.send(fetch, 12, {
    ...{ maxWaitMs: 1000, minBytes: 1, maxBytes: 50 << 20, sessionId: 0, sessionEpoch: -1, forgottenTopicsData: [] },
    topics: [{ topic: 'many', partitions }],
  })
  const read = responses[0]!.partitions.map(({ errorCode, records }) => `${errorCode} ${(records?.length ?? 0) > 0}`)
  assert.equal([...new Set(read)], ['0 true'])

  const flood: WireClient[] = []
  for (let count = 0; count < 2 * FILES; count++) flood.push(await WireClient.connect(port))
  assert.equal([...new Set(await sendAll())], [0])
  assert.ok(readdirSync(`/proc/${running.pid}/fd`).length < FILES)
  await createTopic(client, 'late', 3)

  for (const connection of flood) await connection.close()
  const late = await WireClient.connect(port)
  assert.is((await produceBatch(late, { topic: 'late', partition: 2, acks: -1 }, ['x'])).errorCode, 0)
  const { code, stderr } = await running.kill('SIGTERM')
  assert.is(code, 0, stderr)
})

test.run()
