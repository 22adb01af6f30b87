/**
 * Several directories: replicas move from one to the other, and one that fails takes down what is in it and no more.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { listOffsets } from '../../src/protocol/apis/02-list-offsets.ts'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { deleteTopics } from '../../src/protocol/apis/20-delete-topics.ts'
import { deleteRecords } from '../../src/protocol/apis/21-delete-records.ts'
import { alterReplicaLogDirs } from '../../src/protocol/apis/34-alter-replica-log-dirs.ts'
import { describeLogDirs } from '../../src/protocol/apis/35-describe-log-dirs.ts'
import { incrementalAlterConfigs } from '../../src/protocol/apis/44-incremental-alter-configs.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { buildBatch } from '../../src/records/builder.ts'
import { eventually } from '../clients/target.ts'
import { type BrokerProcess, serveProcess } from '../support/broker-process.ts'
import { createTopic, newProducer, produceBatch, readAll } from '../support/records-client.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 240_000

const test = suite('log directories')

interface Served {
  readonly process: BrokerProcess
  readonly client: WireClient
  stop(): Promise<void>
}

const running: BrokerProcess[] = []

const serve = async (dirs: readonly string[], ...settings: string[]): Promise<Served> => {
  const configs = [`log.dirs=${dirs.join(',')}`, ...settings].flatMap(each => ['-c', each])
  const process = await serveProcess({ args: ['--host', '127.0.0.1', '--port', '0', ...configs] })
  running.push(process)
  const client = await WireClient.connect(process.port)
  return {
    process,
    client,
    async stop() {
      await client.close()
      const { code, stderr } = await process.stop()
      assert.is(code, 0, stderr)
    },
  }
}

test.after.each(async () => {
  for (const process of running.splice(0)) await process.kill()
})

const two = (): [first: string, second: string] => {
  const folder = temporaryFolder('directories')
  return [join(folder, 'a'), join(folder, 'b')]
}

const utf8 = new TextEncoder()
const encode = (text: string): Uint8Array => utf8.encode(text)
const FUTURE = `.${'0123456789abcdef'.repeat(2)}-future`
const place = (topic: string) => ({ topic, partition: 0, acks: -1 }) as const
const holds = (dir: string, folder: string) => existsSync(join(dir, folder))
const elsewhere = (dirs: readonly string[], folder: string): string => dirs.find(dir => !holds(dir, folder)) as string
const home = (dirs: readonly string[], folder: string): string => dirs.find(dir => holds(dir, folder)) as string

const alter = async (client: WireClient, topic: string, path: string, index = 0): Promise<number> => {
  const dirs = [{ path, topics: [{ name: topic, partitions: [index] }] }]
  const { results } = await client.send(alterReplicaLogDirs, 2, { dirs })
  return results[0]?.partitions[0]?.errorCode ?? -2
}

const described = async (client: WireClient) => (await client.send(describeLogDirs, 4, { topics: null })).results

const copies = async (client: WireClient) =>
  (await described(client)).flatMap(({ logDir, topics }) =>
    topics.flatMap(({ name, partitions }) =>
      partitions.flatMap(({ isFutureKey, offsetLag }) => (isFutureKey ? [{ logDir, name, offsetLag }] : [])),
    ),
  )

const moved = (dir: string, others: readonly string[], folder: string): Promise<unknown> =>
  eventually(
    async () => readdirSync(dir).includes(folder) && others.every(other => !existsSync(join(other, folder))),
    arrived => arrived,
  )

const leaderOf = async (client: WireClient, name: string): Promise<{ leaderId: number; errorCode: number }> => {
  const { topics } = await client.send(metadata, 12, { topics: [{ name }], allowAutoTopicCreation: false })
  const { leaderId = -2, errorCode = -2 } = topics[0]?.partitions[0] ?? {}
  return { leaderId, errorCode }
}

const throttle = async (client: WireClient, bytesPerSecond: string): Promise<void> => {
  const configs = [
    { name: 'replica.alter.log.dirs.io.max.bytes.per.second', configOperation: 0, value: bytesPerSecond },
  ]
  const resources = [{ resourceType: 4, resourceName: '', configs }]
  const { responses } = await client.send(incrementalAlterConfigs, 1, { resources, validateOnly: false })
  assert.is(responses[0]?.errorCode, 0, responses[0]?.errorMessage ?? '')
}

const set = async (client: WireClient, topic: string, configs: Readonly<Record<string, string>>): Promise<void> => {
  const altered = Object.entries(configs).map(([name, value]) => ({ name, configOperation: 0, value }))
  const resources = [{ resourceType: 2, resourceName: topic, configs: altered }]
  await client.send(incrementalAlterConfigs, 1, { resources, validateOnly: false })
}

const fill = async (client: WireClient, topic: string, batches: number, size = 10): Promise<string[]> => {
  const producer = await newProducer(client)
  const values: string[] = []
  for (let at = 0; at < batches; at++) {
    const batch = [`${at} a `.padEnd(size, '.'), `${at} b `.padEnd(size, '.')]
    const { errorCode } = await produceBatch(client, place(topic), batch, { ...producer, baseSequence: at * 2 })
    assert.is(errorCode, 0)
    values.push(...batch)
  }
  return values
}

const valuesOf = async (client: WireClient, topic: string): Promise<string[]> =>
  (await readAll(client, topic, 0)).map(({ value }) => value)

test('a replica moves to another directory and back while it is produced to, byte by byte the same', async () => {
  const dirs = two()
  const first = await serve(dirs)
  const { client } = first
  await createTopic(client, 'moves')
  const values = await fill(client, 'moves', 40)
  const from = home(dirs, 'moves-0')
  const to = elsewhere(dirs, 'moves-0')
  const producing = await WireClient.connect(first.process.port)
  const producer = await newProducer(producing)
  let stop = false
  const produced = (async () => {
    for (let at = 0; !stop; at++) {
      const { errorCode } = await produceBatch(producing, place('moves'), [`more ${at}`], {
        ...producer,
        baseSequence: at,
      })
      assert.is(errorCode, 0)
      values.push(`more ${at}`)
    }
  })()
  assert.is(await alter(client, 'moves', to), 0)
  await moved(to, [from], 'moves-0')
  assert.is(await alter(client, 'moves', from), 0)
  await moved(from, [to], 'moves-0')
  stop = true
  await produced
  assert.equal(await valuesOf(client, 'moves'), values)
  assert.is(await alter(client, 'moves', to), 0)
  const before = readFileSync(join(from, 'moves-0', '00000000000000000000.log'))
  await moved(to, [from], 'moves-0')
  assert.ok(readFileSync(join(to, 'moves-0', '00000000000000000000.log')).equals(before))
  assert.equal(await copies(client), [])
  await producing.close()
  await first.stop()

  const second = await serve(dirs)
  assert.equal(await valuesOf(second.client, 'moves'), values)
  assert.ok(holds(to, 'moves-0') && !holds(from, 'moves-0'))
  await second.stop()
})

test('a throttled move is described, redirected and cancelled, and goes on after a restart', async () => {
  const dirs = [...two(), join(temporaryFolder('third'), 'c')]
  const first = await serve(dirs)
  await createTopic(first.client, 'slow')
  const values = await fill(first.client, 'slow', 4, 400_000)
  await throttle(first.client, '1000')
  const from = home(dirs, 'slow-0')
  const [to, other] = dirs.filter(dir => dir !== from) as [string, string]
  assert.is(await alter(first.client, 'slow', to), 0)
  const [copy] = await eventually(
    () => copies(first.client),
    found => found.length === 1 && found[0]!.offsetLag < 8,
  )
  assert.equal([copy?.logDir, copy?.name], [to, 'slow'])
  assert.ok(copy!.offsetLag > 0)

  assert.is(await alter(first.client, 'slow', other), 0)
  const [redirected] = await eventually(
    () => copies(first.client),
    found => found.length === 1,
  )
  assert.is(redirected?.logDir, other)
  await eventually(
    async () => readdirSync(to),
    names => !names.some(name => name.startsWith('slow-0')),
  )

  assert.is(await alter(first.client, 'slow', from), 0)
  assert.equal(await copies(first.client), [])
  await eventually(
    async () => readdirSync(other),
    names => !names.some(name => name.startsWith('slow-0')),
  )

  assert.is(await alter(first.client, 'slow', to), 0)
  await eventually(
    () => copies(first.client),
    found => found.length === 1 && found[0]!.offsetLag < 8,
  )
  const unfinished = readdirSync(to).find(name => name.endsWith('-future')) as string
  await first.stop()
  assert.ok(holds(to, unfinished) && holds(from, 'slow-0'))

  const second = await serve(dirs)
  const [goesOn] = await eventually(
    () => copies(second.client),
    found => found.length === 1,
  )
  assert.ok(holds(to, unfinished), 'the copy that was there is the one that goes on')
  assert.is(goesOn?.logDir, to)
  await throttle(second.client, '1000000000')
  await moved(to, [from], 'slow-0')
  assert.equal(await valuesOf(second.client, 'slow'), values)
  await createTopic(second.client, 'gone')
  await fill(second.client, 'gone', 2, 400_000)
  await throttle(second.client, '1000')
  assert.is(await alter(second.client, 'gone', elsewhere(dirs, 'gone-0')), 0)
  await eventually(
    () => copies(second.client),
    found => found.length === 1,
  )
  await second.client.send(deleteTopics, 6, {
    topics: [{ name: 'gone', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }],
    topicNames: [],
    timeoutMs: 10_000,
  })
  await eventually(
    async () => dirs.flatMap(dir => readdirSync(dir)),
    names => !names.some(name => name.startsWith('gone')),
  )
  await second.stop()
})

test('a move is described as soon as it is answered, so that nobody takes it for cancelled', async () => {
  const dirs = two()
  const served = await serve(dirs)
  const { client } = served
  await throttle(client, '1')
  const topics = Array.from({ length: 20 }, (_, index) => `asked-${index}`)
  for (const topic of topics) {
    await createTopic(client, topic)
    assert.is((await produceBatch(client, place(topic), ['value'])).errorCode, 0)
  }
  for (const topic of topics) {
    const to = elsewhere(dirs, `${topic}-0`)
    assert.is(await alter(client, topic, to), 0)
    assert.equal(
      (await copies(client)).filter(({ name }) => name === topic).map(({ logDir }) => logDir),
      [to],
    )
  }
  await served.stop()
})

test("a move that can't be made is refused with the code of its reason", async () => {
  const dirs = two()
  const { client, stop } = await serve(dirs)
  const long = 'x'.repeat(220)
  await createTopic(client, 'topic')
  await createTopic(client, long)
  assert.is(await alter(client, 'topic', '/nowhere'), ErrorCode.LOG_DIR_NOT_FOUND)
  assert.is(await alter(client, long, dirs[0]), ErrorCode.INVALID_TOPIC_EXCEPTION)
  assert.is(await alter(client, 'topic', dirs[0], 1), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.is(await alter(client, 'topic', home(dirs, 'topic-0')), ErrorCode.NONE)
  assert.equal(await copies(client), [])
  for (const [index, dir] of dirs.entries()) {
    for (const at of [0, 1]) {
      const name = `later-${index}-${at}`
      assert.is(await alter(client, name, dir), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
      await createTopic(client, name)
      assert.ok(holds(dir, `${name}-0`), `${name} is not where it was to be`)
    }
  }
  await stop()
})

test('a log without records, and one that begins above 0, move as they are', async () => {
  const dirs = two()
  const { client, stop } = await serve(dirs, 'log.initial.task.delay.ms=100', 'log.retention.check.interval.ms=200')
  await createTopic(client, 'empty')
  await createTopic(client, 'late')
  await fill(client, 'late', 3)
  await set(client, 'late', { 'retention.ms': '1' })
  const late = home(dirs, 'late-0')
  await eventually(
    async () => readdirSync(join(late, 'late-0')),
    names => names.includes('00000000000000000006.log'),
  )
  for (const topic of ['empty', 'late']) {
    const from = home(dirs, `${topic}-0`)
    const to = elsewhere(dirs, `${topic}-0`)
    assert.is(await alter(client, topic, to), 0)
    await moved(to, [from], `${topic}-0`)
  }
  assert.is((await produceBatch(client, place('late'), ['next'])).baseOffset, 6)
  assert.is((await produceBatch(client, place('empty'), ['first'])).baseOffset, 0)
  await stop()
})

/** Where the log begins. */
const earliest = async (client: WireClient, topic: string): Promise<number> => {
  const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -2n }]
  const { topics } = await client.send(listOffsets, 7, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: topic, partitions }],
  })
  return Number(topics[0]?.partitions[0]?.offset)
}

const logBytes = (dir: string, folder: string): number => {
  const files = readdirSync(join(dir, folder)).filter(name => name.endsWith('.log'))
  // A pass may take one of them away meanwhile.
  const bytes = (name: string) => statSync(join(dir, folder, name), { throwIfNoEntry: false })?.size ?? 0
  return files.reduce((sum, name) => sum + bytes(name), 0)
}

test('a compacted log is not compacted on its way, keeps its start, and is compacted where it comes to', async () => {
  const dirs = two()
  const { client, stop } = await serve(dirs, 'log.cleaner.backoff.ms=20', 'log.segment.delete.delay.ms=20')
  await createTopic(client, 'keyed')
  await set(client, 'keyed', {
    'cleanup.policy': 'compact',
    'min.cleanable.dirty.ratio': '0.01',
    'internal.segment.bytes': '300000',
  })
  const send = async (from: number, to: number) => {
    for (let at = from; at < to; at++) {
      const records = [{ key: encode(`${at % 5}`), value: encode(`${at} `.padEnd(50_000, '.')) }]
      const batch = buildBatch(records, { baseOffset: 0, leaderEpoch: -1, timestamp: BigInt(Date.now()) })
      const topicData = [{ name: 'keyed', partitionData: [{ index: 0, records: batch }] }]
      const { responses } = await client.send(produce, 9, { acks: -1, timeoutMs: 10_000, topicData })
      assert.is(responses[0]?.partitionResponses[0]?.errorCode, 0)
    }
  }
  const newest = async () => {
    const found = new Map(
      (await readAll(client, 'keyed', 0)).map(({ value }) => [Number.parseInt(value, 10) % 5, value]),
    )
    return [...found.values()].map(value => Number.parseInt(value, 10)).sort((a, b) => a - b)
  }
  await send(0, 40)
  const from = home(dirs, 'keyed-0')
  const to = elsewhere(dirs, 'keyed-0')
  const small = 700_000
  await eventually(
    () => logBytes(from, 'keyed-0'),
    bytes => bytes < small,
  )
  await throttle(client, '100000')
  assert.is(await alter(client, 'keyed', to), 0)
  await eventually(
    () => copies(client),
    found => found.length === 1 && found[0]!.offsetLag < 40,
  )
  await send(40, 80)
  // Many rounds of the cleaner.
  await new Promise(resolve => setTimeout(resolve, 500))
  assert.ok(logBytes(from, 'keyed-0') > 2_000_000, 'it was compacted on its way')
  await throttle(client, '1000000000')
  await moved(to, [from], 'keyed-0')
  assert.equal([await earliest(client, 'keyed'), await newest()], [0, [75, 76, 77, 78, 79]])
  await send(80, 81)
  await eventually(
    () => logBytes(to, 'keyed-0'),
    bytes => bytes < small,
  )
  assert.equal(await newest(), [76, 77, 78, 79, 80])
  await stop()
})

test('a log whose start was moved into a batch has the same start where it comes to', async () => {
  const dirs = two()
  const { client, stop } = await serve(dirs)
  await createTopic(client, 'begun')
  const values = await fill(client, 'begun', 10)
  const partitions = [{ partitionIndex: 0, offset: 7 }]
  await client.send(deleteRecords, 2, { topics: [{ name: 'begun', partitions }], timeoutMs: 1000 })
  const from = home(dirs, 'begun-0')
  const to = elsewhere(dirs, 'begun-0')
  assert.is(await alter(client, 'begun', to), 0)
  await moved(to, [from], 'begun-0')
  assert.is(await earliest(client, 'begun'), 7)
  const found = (await readAll(client, 'begun', 0, 7)).map(({ value }) => value)
  assert.equal(found, values.slice(7))
  await stop()
})

/** A topic that has been moved to `to`, stopped. */
const movedTopic = async () => {
  const dirs = two()
  const { client, stop } = await serve(dirs)
  await createTopic(client, 'moves')
  const values = await fill(client, 'moves', 5)
  const from = home(dirs, 'moves-0')
  const to = elsewhere(dirs, 'moves-0')
  assert.is(await alter(client, 'moves', to), 0)
  await moved(to, [from], 'moves-0')
  await stop()
  return { dirs, from, to, values }
}

test('a move that broke off when only the names were missing is finished by the next start', async () => {
  for (const left of [true, false]) {
    const { dirs, from, to, values } = await movedTopic()
    if (left) cpSync(join(to, 'moves-0'), join(from, 'moves-0'), { recursive: true })
    renameSync(join(to, 'moves-0'), join(to, `moves-0${FUTURE}`))
    for (const dir of dirs) rmSync(join(dir, '.kafka_cleanshutdown'))
    const { client, stop } = await serve(dirs)
    assert.equal(await valuesOf(client, 'moves'), values)
    assert.ok(holds(to, 'moves-0') && !holds(to, `moves-0${FUTURE}`) && !holds(from, 'moves-0'))
    assert.is(readdirSync(from).filter(name => name.endsWith('-stray')).length, left ? 1 : 0)
    await stop()
  }
})

test('of two folders of one partition the one counts that the metadata names, and the other is set aside', async () => {
  const { dirs, from, to, values } = await movedTopic()
  mkdirSync(join(from, 'moves-0'))
  writeFileSync(join(from, 'moves-0', '00000000000000000000.log'), '')
  const { client, stop } = await serve(dirs)
  assert.equal(await valuesOf(client, 'moves'), values)
  assert.ok(holds(to, 'moves-0') && !holds(from, 'moves-0'))
  assert.is(readdirSync(from).filter(name => name.endsWith('-stray')).length, 1)
  await stop()
})

test('a partition whose folder was removed while its broker was stopped begins empty, and that is said', async () => {
  const dirs = two()
  const first = await serve(dirs)
  for (const topic of ['gone', 'stays']) {
    await createTopic(first.client, topic)
    await fill(first.client, topic, 2)
  }
  await first.stop()
  rmSync(join(home(dirs, 'gone-0'), 'gone-0'), { recursive: true })
  const second = await serve(dirs)
  await second.process.running.sees(/1 partitions begin empty.*: gone-0"/)
  assert.equal(await valuesOf(second.client, 'gone'), [])
  assert.is((await valuesOf(second.client, 'stays')).length, 4)
  await second.stop()
  const third = await serve(dirs)
  const { stderr } = await third.process.stop()
  assert.not.match(stderr, 'begin empty')
})

test('a directory that fails takes down what lies in it, and what lies elsewhere is served on', async () => {
  const dirs = two()
  const { client, process } = await serve(dirs)
  for (const name of ['one', 'two', 'three', 'four']) await createTopic(client, name)
  const sound = ['one', 'two', 'three', 'four'].filter(name => holds(dirs[0], `${name}-0`))
  const lost = ['one', 'two', 'three', 'four'].filter(name => holds(dirs[1], `${name}-0`))
  assert.ok(sound.length > 0 && lost.length > 0)
  rmSync(dirs[1], { recursive: true })
  // Whatever is created next in it finds out.
  for (let at = 0; at < 3; at++) await createTopic(client, `finds-${at}`)
  for (const name of lost) {
    await eventually(
      () => leaderOf(client, name),
      ({ leaderId }) => leaderId === -1,
    )
    assert.is((await produceBatch(client, place(name), ['x'])).errorCode, ErrorCode.KAFKA_STORAGE_ERROR)
  }
  for (const name of sound) {
    assert.is((await leaderOf(client, name)).leaderId, 1)
    assert.is((await produceBatch(client, place(name), ['x'])).errorCode, 0)
  }
  for (let at = 0; at < 3; at++) {
    await createTopic(client, `after-${at}`)
    assert.is((await produceBatch(client, place(`after-${at}`), ['x'])).errorCode, 0)
  }
  const results = await described(client)
  assert.equal(
    results.map(({ logDir, errorCode }) => [logDir, errorCode]),
    [
      [dirs[0], 0],
      [dirs[1], ErrorCode.KAFKA_STORAGE_ERROR],
    ],
  )
  assert.is(await alter(client, sound[0] as string, dirs[1]), ErrorCode.KAFKA_STORAGE_ERROR)
  await client.close()
  assert.not.ok((await process.stop()).stderr.includes('unhandled'))
})

test('the process ends with a message when the directory of the metadata log fails', async () => {
  const dirs = two()
  const { client, process } = await serve(dirs)
  rmSync(dirs[0], { recursive: true })
  for (let at = 0; at < 3; at++) {
    const asked = createTopic(client, `topic-${at}`).catch(() => {})
    await Promise.race([asked, new Promise(resolve => setTimeout(resolve, 2_000))])
  }
  const { code, stderr } = await process.running.finished
  assert.is(code, 5, stderr)
  assert.match(stderr, /the broker cannot go on: .*log directory .* is offline/)
})

test("a directory that can't be used at start is offline, and is served again when it can", async () => {
  const dirs = two()
  const first = await serve(dirs)
  for (const name of ['one', 'two', 'three']) {
    await createTopic(first.client, name)
    await produceBatch(first.client, place(name), [name])
  }
  await first.stop()
  const [away] = dirs.slice(1) as [string]
  const lost = ['one', 'two', 'three'].filter(name => holds(away, `${name}-0`))
  assert.ok(lost.length > 0 && lost.length < 3)

  renameSync(away, `${away}-away`)
  writeFileSync(away, 'no folder')
  const second = await serve(dirs)
  for (const name of ['one', 'two', 'three']) {
    const isLost = lost.includes(name)
    assert.is((await leaderOf(second.client, name)).leaderId, isLost ? -1 : 1, name)
    const { errorCode } = await produceBatch(second.client, place(name), ['more'])
    assert.is(errorCode, isLost ? ErrorCode.KAFKA_STORAGE_ERROR : 0, name)
  }
  const results = await described(second.client)
  assert.is(results.find(({ logDir }) => logDir === away)?.errorCode, ErrorCode.KAFKA_STORAGE_ERROR)
  await createTopic(second.client, 'new')
  assert.ok(holds(dirs[0], 'new-0'))
  await second.stop()
  assert.is(readFileSync(away, 'utf8'), 'no folder')

  rmSync(away)
  renameSync(`${away}-away`, away)
  const third = await serve(dirs)
  for (const name of ['one', 'two', 'three']) {
    const values = await valuesOf(third.client, name)
    assert.equal(values, lost.includes(name) ? [name] : [name, 'more'])
  }
  await third.stop()
})

test.run()
