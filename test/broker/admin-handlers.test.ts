/** The handlers of the admin APIs, over a hand-made image; every answer goes through its schema at every version. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { BrokerPorts, Handler, RequestContext } from '../../src/broker/context.ts'
import { createTopicsHandler } from '../../src/broker/handlers/19-create-topics.ts'
import { deleteTopicsHandler } from '../../src/broker/handlers/20-delete-topics.ts'
import { describeConfigsHandler } from '../../src/broker/handlers/32-describe-configs.ts'
import { createPartitionsHandler } from '../../src/broker/handlers/37-create-partitions.ts'
import { describeClusterHandler } from '../../src/broker/handlers/60-describe-cluster.ts'
import { describeTopicPartitionsHandler } from '../../src/broker/handlers/75-describe-topic-partitions.ts'
import { resolveConfig } from '../../src/config/resolve.ts'
import { type BrokerImage, emptyImage, type MetadataImage, type TopicImage } from '../../src/metadata/image.ts'
import { DirectoryId } from '../../src/metadata/records.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { decodeMessage, encodeMessage } from '../../src/protocol/messages.ts'
import { findApi } from '../../src/protocol/registry.ts'

const handlers = suite('admin handlers')

const id = (letter: string) => letter.repeat(21) + 'A'

function topic(name: string, partitions: number): TopicImage {
  const partition = {
    replicas: [1],
    directories: [DirectoryId.unassigned],
    isr: [1],
    removingReplicas: [],
    addingReplicas: [],
    elr: [],
    lastKnownElr: [],
    leader: 1,
    leaderRecoveryState: 0,
    leaderEpoch: 3,
    partitionEpoch: 0,
  }
  return { name, id: id(name[0]!), partitions: Array.from({ length: partitions }, () => partition) }
}

function broker(id: number, fenced = false): BrokerImage {
  return { id, epoch: 1, incarnationId: '', endpoints: [], features: [], rack: id === 1 ? 'r1' : null, fenced } as never
}

function image(topics: readonly TopicImage[], brokers = [broker(1)], configs: [string, [string, string][]][] = []) {
  return {
    ...emptyImage,
    topicsByName: new Map(topics.map(each => [each.name, each])),
    topicsById: new Map(topics.map(each => [each.id, each])),
    brokers: new Map(brokers.map(each => [each.id, each])),
    configs: new Map(configs.map(([key, pairs]) => [key, new Map(pairs)])),
  } satisfies MetadataImage
}

interface Options {
  image?: MetadataImage
  version?: number
  controller?: (request: object) => object
  whenReady?: (topic: string) => Promise<void>
  configs?: Record<string, string>
}

/** Fires timers only when told. */
function fakeTimers() {
  const armed = new Map<number, () => void>()
  let next = 1
  return {
    armed,
    port: {
      at(_atMs: number, fire: () => void) {
        armed.set(next, fire)
        return next++
      },
      cancel: (timer: number) => void armed.delete(timer),
    },
  }
}

const timers = fakeTimers()

/** Calls the handler; the answer has been encoded and decoded at the request's version. */
async function ask(handler: Handler, request: object, options: Options = {}): Promise<never> {
  const api = findApi(handler.apiKey)!
  const version = options.version ?? api.maxVersion
  const resolved = resolveConfig([{ origin: 'test', values: new Map(Object.entries(options.configs ?? {})) }])
  if (!resolved.ok) throw new Error(resolved.problems[0]?.message)
  const current = options.image ?? image([])
  const ports = {
    host: { clock: { monotonicMs: () => 0, wallMs: () => 0 }, timers: timers.port },
    config: resolved.config,
    nodeId: 1,
    clusterId: 'cluster',
    controller: { handle: async (_key: number, _version: number, body: object) => options.controller?.(body) ?? {} },
    replicas: { partition: () => undefined, whenReady: options.whenReady ?? (async () => {}) },
    image: () => current,
    endpointOf: (node: number) => (current.brokers.has(node) ? { host: 'h', port: 9000 + node } : undefined),
  } as unknown as BrokerPorts
  const context = { broker: ports, apiKey: api.key, version, clientId: 'c' } as unknown as RequestContext
  const body = decodeMessage(api.request, version, encodeMessage(api.request, version, request as never))
  const answer = await handler.handle(context, body as never)
  return decodeMessage(api.response, version, encodeMessage(api.response, version, answer as never)) as never
}

/** Every failure answer can be written at every version. */
function failures(handler: Handler, request: object, fromVersion = 0): void {
  const api = findApi(handler.apiKey)!
  for (let version = Math.max(api.minVersion, fromVersion); version <= api.maxVersion; version++) {
    const body = decodeMessage(api.request, version, encodeMessage(api.request, version, request as never))
    encodeMessage(api.response, version, handler.failure(body as never, -1) as never)
  }
}

const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

handlers('CreateTopics answers when the created topics can be written', async () => {
  const waited: string[] = []
  const release: (() => void)[] = []
  let answered = false
  const request = {
    topics: ['a', 'b'].map(name => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] })),
    timeoutMs: 10,
    validateOnly: false,
  }
  const whole = ask(createTopicsHandler as Handler, request, {
    controller: () => ({
      topics: [
        { name: 'a', errorCode: 0, errorMessage: null, configs: null },
        { name: 'b', errorCode: ErrorCode.TOPIC_ALREADY_EXISTS, errorMessage: 'x', configs: null },
      ],
    }),
    whenReady: name => {
      waited.push(name)
      return new Promise<void>(resolve => release.push(resolve))
    },
  }).then((answer: { topics: { name: string; errorCode: number }[] }) => {
    answered = true
    return answer
  })
  await settle()
  assert.equal([waited, answered], [['a'], false])
  release[0]?.()
  assert.equal(
    (await whole).topics.map(each => each.errorCode),
    [0, ErrorCode.TOPIC_ALREADY_EXISTS],
  )
  assert.is(timers.armed.size, 0)
})

handlers('CreatePartitions answers at its timeout when a partition cannot be opened', async () => {
  const request = { topics: [{ name: 'a', count: 2, assignments: null }], timeoutMs: 10, validateOnly: false }
  const whole = ask(createPartitionsHandler as Handler, request, {
    controller: () => ({ results: [{ name: 'a', errorCode: 0, errorMessage: null }] }),
    whenReady: () => new Promise(() => {}),
  }) as Promise<{ results: { errorCode: number }[] }>
  await settle()
  assert.is(timers.armed.size, 1)
  for (const fire of timers.armed.values()) fire()
  timers.armed.clear()
  assert.is((await whole).results[0]?.errorCode, 0)
})

handlers('validation alone waits for no partition when asked', async () => {
  const request = { topics: [], timeoutMs: 10, validateOnly: true }
  let waited = 0
  const whenReady = async () => void waited++
  const created = { topics: [{ name: 'a', errorCode: 0, errorMessage: null, configs: null }] }
  await ask(createTopicsHandler as Handler, request, { controller: () => created, whenReady })
  const grown = { results: [{ name: 'a', errorCode: 0, errorMessage: null }] }
  await ask(createPartitionsHandler as Handler, request, { controller: () => grown, whenReady })
  assert.is(waited, 0)
})

handlers('DeleteTopics passes the controller’s answer on when it comes', async () => {
  const request = { topics: [{ name: 'a', topicId: undefined }], topicNames: [], timeoutMs: 10 }
  const answer: { responses: object[] } = await ask(deleteTopicsHandler as Handler, request, {
    controller: () => ({ responses: [{ name: 'a', topicId: id('a'), errorCode: 3, errorMessage: 'm' }] }),
  })
  assert.equal(answer.responses, [{ name: 'a', topicId: id('a'), errorCode: 3, errorMessage: 'm' }])
})

handlers('DescribeCluster names the brokers that serve when asked', async () => {
  const options = { image: image([], [broker(1), broker(2, true)]) }
  const asked = { includeClusterAuthorizedOperations: true, endpointType: 1, includeFencedBrokers: false }
  const answer = (await ask(describeClusterHandler as Handler, asked, options)) as Record<string, unknown>
  assert.equal(answer['brokers'], [{ brokerId: 1, host: 'h', port: 9001, rack: 'r1', isFenced: false }])
  assert.equal(
    [answer['clusterId'], answer['controllerId'], answer['clusterAuthorizedOperations']],
    ['cluster', 1, 8096],
  )
  const fencedToo = (await ask(
    describeClusterHandler as Handler,
    { ...asked, includeFencedBrokers: true },
    options,
  )) as { brokers: object[] }
  assert.is(fencedToo.brokers.length, 2)
  const unasked = { ...asked, includeClusterAuthorizedOperations: false }
  const plain = (await ask(describeClusterHandler as Handler, unasked, options)) as Record<string, unknown>
  assert.is(plain['clusterAuthorizedOperations'], -2147483648)
})

handlers('DescribeCluster refuses when controllers or unknown end points are asked for', async () => {
  const codeFor = async (endpointType: number, version?: number) => {
    const request = { includeClusterAuthorizedOperations: false, endpointType, includeFencedBrokers: false }
    const options = version === undefined ? {} : { version }
    return ((await ask(describeClusterHandler as Handler, request, options)) as { errorCode: number }).errorCode
  }
  assert.is(await codeFor(2), ErrorCode.MISMATCHED_ENDPOINT_TYPE)
  assert.is(await codeFor(3), ErrorCode.UNSUPPORTED_ENDPOINT_TYPE)
})

interface Page {
  topics: { name: string; errorCode: number; topicId: string; partitions: { partitionIndex: number }[] }[]
  nextCursor: { topicName: string; partitionIndex: number } | null
}
const pages = async (request: object, options: Options) =>
  (await ask(
    describeTopicPartitionsHandler as Handler,
    { topics: [], responsePartitionLimit: 2000, cursor: null, ...request },
    options,
  )) as Page

handlers('DescribeTopicPartitions gives every partition once when read page by page', async () => {
  const options = { image: image([topic('b', 5), topic('a', 3), topic('c', 0), topic('d', 1)]) }
  for (const responsePartitionLimit of [1, 2, 3, 4, 8, 9, 100]) {
    const seen: string[] = []
    let cursor: Page['nextCursor'] = null
    do {
      const answer: Page = await pages({ responsePartitionLimit, cursor }, options)
      const count = answer.topics.reduce((sum, each) => sum + each.partitions.length, 0)
      assert.ok(count <= responsePartitionLimit)
      for (const each of answer.topics) seen.push(...each.partitions.map(part => `${each.name}${part.partitionIndex}`))
      cursor = answer.nextCursor
    } while (cursor)
    assert.equal(seen, ['a0', 'a1', 'a2', 'b0', 'b1', 'b2', 'b3', 'b4', 'd0'], `limit ${responsePartitionLimit}`)
  }
})

handlers('DescribeTopicPartitions is limited by the broker when the client asks for more', async () => {
  const options = { image: image([topic('a', 3)]), configs: { 'max.request.partition.size.limit': '2' } }
  assert.equal((await pages({}, options)).nextCursor, { topicName: 'a', partitionIndex: 2 })
  assert.equal((await pages({ responsePartitionLimit: -1 }, options)).nextCursor, { topicName: 'a', partitionIndex: 1 })
})

handlers('DescribeTopicPartitions tells unknown from impossible names when asked by name', async () => {
  const options = { image: image([topic('a', 1)]) }
  const answer = await pages({ topics: ['z', 'a', '..', 'a'].map(name => ({ name })) }, options)
  assert.equal(
    answer.topics.map(each => [each.name, each.errorCode]),
    [
      ['..', ErrorCode.INVALID_TOPIC_EXCEPTION],
      ['a', 0],
      ['z', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    ],
  )
})

handlers('DescribeTopicPartitions refuses a cursor when it points outside of what was asked', async () => {
  const options = { image: image([topic('a', 1)]) }
  const codes = async (partitionIndex: number, topicName: string) => {
    const request = { topics: [{ name: 'a' }], cursor: { topicName, partitionIndex } }
    return (await pages(request, options)).topics.map(each => each.errorCode)
  }
  assert.equal(await codes(-1, 'a'), [ErrorCode.INVALID_REQUEST])
  assert.equal(await codes(0, 'b'), [ErrorCode.INVALID_REQUEST])
  assert.equal(await codes(7, 'a'), [0])
})

interface DescribedAnswer {
  results: {
    errorCode: number
    errorMessage: string | null
    configs: {
      name: string
      value: string | null
      configSource: number
      synonyms: object[]
      documentation: string | null
    }[]
  }[]
}
const describe = async (resources: [number, string, string[]?][], extra: object = {}, options: Options = {}) => {
  const request = {
    resources: resources.map(([resourceType, resourceName, keys]) => ({
      resourceType,
      resourceName,
      configurationKeys: keys ?? null,
    })),
    includeSynonyms: false,
    includeDocumentation: false,
    ...extra,
  }
  return ((await ask(describeConfigsHandler as Handler, request, options)) as DescribedAnswer).results
}

handlers('DescribeConfigs answers each resource by itself when they differ', async () => {
  const current = image([topic('a', 1)], [broker(1)], [['topic:a', [['retention.ms', '5']]]])
  const results = await describe(
    [
      [2, 'a', ['retention.ms']],
      [2, 'b'],
      [2, '../x'],
      [4, '1', ['num.io.threads']],
      [4, '2'],
      [4, 'x'],
      [4, ''],
      [8, '1'],
      [8, ''],
      [16, 's'],
      [16, ''],
      [32, 'g', ['consumer.session.timeout.ms']],
      [32, ''],
    ],
    {},
    { image: current },
  )
  assert.equal(
    results.map(each => [each.errorCode, each.configs.length]),
    [
      [0, 1],
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 0],
      [ErrorCode.INVALID_TOPIC_EXCEPTION, 0],
      [0, 1],
      [ErrorCode.INVALID_REQUEST, 0],
      [ErrorCode.INVALID_REQUEST, 0],
      [0, 0],
      [0, 0],
      [ErrorCode.INVALID_REQUEST, 0],
      [0, 3],
      [ErrorCode.INVALID_REQUEST, 0],
      [0, 1],
      [ErrorCode.INVALID_REQUEST, 0],
    ],
  )
  assert.equal(results[0]?.configs[0]?.value, '5')
})

handlers('DescribeConfigs fails whole when a resource type is unknown', async () => {
  const results = await describe([
    [2, 'a'],
    [99, 'x'],
  ])
  assert.equal(
    results.map(each => each.errorCode),
    [ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_REQUEST],
  )
})

handlers('DescribeConfigs tells synonyms and documentation only when asked', async () => {
  const options = { image: image([topic('a', 1)], [broker(1)], [['broker:', [['min.insync.replicas', '1']]]]) }
  const [plain] = await describe([[2, 'a', ['min.insync.replicas']]], {}, options)
  assert.equal([plain?.configs[0]?.configSource, plain?.configs[0]?.synonyms.length], [3, 0])
  assert.is(plain?.configs[0]?.documentation, null)
  const [full] = await describe([[2, 'a', []]], { includeSynonyms: true, includeDocumentation: true }, options)
  assert.is(full?.configs.length, 33)
  const insync = full?.configs.find(each => each.name === 'min.insync.replicas')
  assert.is(insync?.synonyms.length, 2)
  assert.match(insync?.documentation ?? '', /in sync/)
})

handlers('a failure can be written at every version when a handler breaks', () => {
  failures(createTopicsHandler as Handler, {
    topics: [{ name: 'a', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 1,
    validateOnly: false,
  })
  failures(deleteTopicsHandler as Handler, { topicNames: ['a'], timeoutMs: 1 })
  failures(deleteTopicsHandler as Handler, { topics: [{ name: 'a' }], topicNames: [], timeoutMs: 1 }, 6)
  failures(createPartitionsHandler as Handler, {
    topics: [{ name: 'a', count: 1, assignments: null }],
    timeoutMs: 1,
    validateOnly: false,
  })
  failures(describeConfigsHandler as Handler, {
    resources: [{ resourceType: 2, resourceName: 'a', configurationKeys: null }],
  })
  failures(describeClusterHandler as Handler, { includeClusterAuthorizedOperations: false })
  failures(describeTopicPartitionsHandler as Handler, { topics: [{ name: 'a' }], cursor: null })
})

handlers.run()
