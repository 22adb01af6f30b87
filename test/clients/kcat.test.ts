/** kcat (librdkafka): -L, -P, -C by partition and offset or time, -Q. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { batchesOf } from '../../src/records/batch.ts'
import { runProgram } from '../support/process.ts'
import { requires } from '../support/requires.ts'
import { WireClient } from '../support/wire-client.ts'
import { freshTopic, startTarget, type Target } from './target.ts'

const tests = suite('kcat')

let target: Target
let client = { client: 'kcat (librdkafka)', version: '', runtime: 'C' }

/** kcat's output; it must have ended well. */
async function kcat(args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await runProgram('kcat', ['-b', target.bootstrap, ...args], { input })
  assert.is(code, 0, `kcat ${args.join(' ')}: ${stderr}`)
  return stdout
}

const lines = (text: string) => text.split('\n').filter(line => line !== '')

/** Numbers of the codecs that the batches of partition 0 are stored with. */
async function storedCodecs(topic: string): Promise<Set<number>> {
  const client = await WireClient.connect(Number(target.bootstrap.split(':')[1]))
  const partitions = [{ partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, partitionMaxBytes: 8 << 20 }]
  const limits = { maxWaitMs: 1000, minBytes: 1, maxBytes: 8 << 20, sessionId: 0, sessionEpoch: -1 }
  const request = { ...limits, topics: [{ topic, partitions }], forgottenTopicsData: [] }
  const { response, frame } = await client.exchange(fetch, 12, request)
  client.close()
  const records = response.responses[0]?.partitions[0]?.records
  const bytes = records ? frame.subarray(records.position, records.position + records.length) : new Uint8Array(0)
  return new Set([...batchesOf(bytes)].map(batch => batch.compression))
}

tests.before(async () => {
  requires('kcat')
  target = await startTarget()
  const { stdout } = await runProgram('kcat', ['-V'])
  const [, own, library] = /Version (\S+) .*librdkafka (\S+)/.exec(stdout) ?? []
  client = { client: 'kcat (librdkafka)', version: `${own} (${library})`, runtime: 'C' }
})

tests.after(() => target?.close())

tests('-L lists brokers, topics and partitions when asked', async () => {
  const topic = freshTopic('kcat')
  await kcat(['-P', '-t', topic], 'one\n')
  const listed = JSON.parse(await kcat(['-L', '-J', '-t', topic]))
  assert.is(listed.brokers[0].name, target.bootstrap)
  assert.equal(listed.topics[0].partitions, [{ partition: 0, leader: 1, replicas: [{ id: 1 }], isrs: [{ id: 1 }] }])
  target.works(client, 'list metadata')
})

tests('what -P wrote comes back by -C when compressed with each codec', async () => {
  const topic = freshTopic('kcat')
  const expected: string[] = []
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    const values = [1, 2, 3].map(number => `${codec}-${number}-${'y'.repeat(200)}`)
    await kcat(['-P', '-t', topic, '-p', '0', '-z', codec, '-K', ':'], values.map(value => `key:${value}\n`).join(''))
    expected.push(...values)
  }
  assert.equal(lines(await kcat(['-C', '-t', topic, '-p', '0', '-o', 'beginning', '-e', '-q'])), expected)
  const codecs = await storedCodecs(topic)
  for (const number of [0, 1, 2, 4]) assert.ok(codecs.has(number), `codec ${number} was stored`)
  target.works(client, 'produce', 'consume assigned partitions', 'gzip', 'snappy', 'zstd')
})

tests('an idempotent -P writes each message once when asked', async () => {
  const topic = freshTopic('kcat')
  const values = Array.from({ length: 1000 }, (_, index) => `m${index}`)
  await kcat(['-P', '-t', topic, '-X', 'enable.idempotence=true'], values.join('\n'))
  assert.equal(lines(await kcat(['-C', '-t', topic, '-p', '0', '-o', 'beginning', '-e', '-q'])), values)
  target.works(client, 'idempotent produce')
})

tests('-C begins at an offset, near the end or at a time when told', async () => {
  const topic = freshTopic('kcat')
  const began = Date.now()
  await kcat(['-P', '-t', topic], 'a\nb\nc\n')
  const between = Date.now() + 1
  await new Promise(resolve => setTimeout(resolve, 20))
  await kcat(['-P', '-t', topic], 'd\ne\n')
  const consume = async (from: string) =>
    lines(await kcat(['-C', '-t', topic, '-p', '0', '-o', from, '-e', '-q'])).join('')
  assert.is(await consume('3'), 'de')
  assert.is(await consume('-1'), 'e')
  assert.is(await consume(`s@${between}`), 'de')
  assert.is(await consume(`s@${began}`), 'abcde')

  const query = async (time: number) => lines(await kcat(['-Q', '-t', `${topic}:0:${time}`]))
  assert.equal(await query(between), [`${topic} [0] offset 3`])
  assert.equal(await query(-1), [`${topic} [0] offset 5`])
  assert.equal(await query(-2), [`${topic} [0] offset 0`])
  target.works(client, 'consume from an offset or a time', 'offsets by time')
})

tests('keys, headers, partitions and empty values come back when consumed', async () => {
  const topic = freshTopic('kcat')
  await kcat(['-P', '-t', topic, '-p', '0', '-K', ':', '-Z', '-H', 'trace=1'], 'k1:v1\nk2:\n')
  const format = ['-f', '%k|%s|%S|%h|%p|%o\n']
  const seen = lines(await kcat(['-C', '-t', topic, '-p', '0', '-o', 'beginning', '-e', '-q', ...format]))
  assert.equal(seen, ['k1|v1|2|trace=1|0|0', 'k2||-1|trace=1|0|1'])
})

tests.run()
