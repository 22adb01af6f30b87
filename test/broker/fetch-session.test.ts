import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { FetchOutcome } from '../../src/broker/fetch-session.ts'
import { FetchSessions } from '../../src/broker/fetch-session.ts'
import type { FetchRequest } from '../../src/protocol/apis/01-fetch.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'

const test = suite('fetch sessions')

const ZERO = 'AAAAAAAAAAAAAAAAAAAAAA'
const BY_NAME = 12
const BY_ID = 13
const unknown = () => undefined

function sessions(slots = 10) {
  const clock = { ms: 0 }
  let random = 0
  return { clock, cache: new FetchSessions({ slots, nowMs: () => clock.ms, randomU32: () => ++random }) }
}

const partition = (index: number, fetchOffset = 0) => ({
  partition: index,
  currentLeaderEpoch: -1,
  fetchOffset,
  lastFetchedEpoch: -1,
  logStartOffset: -1,
  partitionMaxBytes: 1000,
  replicaDirectoryId: ZERO,
  highWatermark: -1,
})

function request(
  sessionId: number,
  sessionEpoch: number,
  topics: [name: string, partitions: ReturnType<typeof partition>[]][] = [],
  forgotten: [name: string, partitions: number[]][] = [],
): FetchRequest {
  return {
    clusterId: null,
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1 },
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1000,
    isolationLevel: 0,
    sessionId,
    sessionEpoch,
    rackId: '',
    topics: topics.map(([topic, partitions]) => ({ topic, topicId: ZERO, partitions })),
    forgottenTopicsData: forgotten.map(([topic, partitions]) => ({ topic, topicId: ZERO, partitions })),
  }
}

const outcome = (more: Partial<FetchOutcome> = {}): FetchOutcome => ({
  errorCode: 0,
  highWatermark: 0,
  logStartOffset: 0,
  bytes: 0,
  diverging: false,
  ...more,
})

const names = (context: { targets: readonly { topic: string | undefined; partition: number }[] }) =>
  context.targets.map(target => `${target.topic}-${target.partition}`)

test('a full request answers everything and makes a session, unless its epoch says not to', () => {
  const { cache } = sessions()
  const full = cache.open(BY_NAME, request(0, 0, [['t', [partition(0), partition(1)]]]), false, unknown)
  assert.equal(names(full), ['t-0', 't-1'])
  const { sessionId, included } = full.finish([outcome(), outcome()])
  assert.ok(sessionId > 0)
  assert.equal(included, [0, 1])
  const none = cache.open(BY_NAME, request(0, -1, [['t', [partition(0)]]]), false, unknown)
  assert.is(none.finish([outcome()]).sessionId, 0)
  assert.is(cache.size, 1)
})

test('an incremental request answers only what is news', () => {
  const { cache } = sessions()
  const full = cache.open(BY_NAME, request(0, 0, [['t', [0, 1, 2, 3].map(index => partition(index))]]), false, unknown)
  const { sessionId } = full.finish([0, 1, 2, 3].map(() => outcome({ highWatermark: 5 })))
  const same = cache.open(BY_NAME, request(sessionId, 1), false, unknown)
  assert.equal(names(same), ['t-0', 't-1', 't-2', 't-3'])
  assert.equal(same.finish([0, 1, 2, 3].map(() => outcome({ highWatermark: 5 }))).included, [])
  const moved = cache.open(BY_NAME, request(sessionId, 2), false, unknown)
  const outcomes = [
    outcome({ highWatermark: 6 }),
    outcome({ highWatermark: 5, bytes: 100 }),
    outcome({ highWatermark: 5, logStartOffset: 1 }),
    outcome({ highWatermark: 5, diverging: true }),
  ]
  assert.equal(moved.finish(outcomes), { errorCode: 0, sessionId, included: [0, 1, 2, 3] })
})

test('a partition that returned records goes to the end of the session', () => {
  const { cache } = sessions()
  const { sessionId } = cache
    .open(BY_NAME, request(0, 0, [['t', [partition(0), partition(1), partition(2)]]]), false, unknown)
    .finish([outcome(), outcome(), outcome()])
  cache.open(BY_NAME, request(sessionId, 1), false, unknown).finish([outcome({ bytes: 9 }), outcome(), outcome()])
  assert.equal(names(cache.open(BY_NAME, request(sessionId, 2), false, unknown)), ['t-1', 't-2', 't-0'])
})

test('after an error a partition is news again although nothing else moved', () => {
  const { cache } = sessions()
  const { sessionId } = cache
    .open(BY_NAME, request(0, 0, [['t', [partition(0)]]]), false, unknown)
    .finish([outcome({ highWatermark: 3 })])
  const failing = outcome({ errorCode: 56, highWatermark: 3 })
  for (const epoch of [1, 2]) {
    const context = cache.open(BY_NAME, request(sessionId, epoch), false, unknown)
    assert.equal(context.finish([failing]).included, [0])
  }
  const healed = cache.open(BY_NAME, request(sessionId, 3), false, unknown)
  assert.equal(healed.finish([outcome({ highWatermark: 3 })]).included, [0])
})

test('an incremental request adds, changes and forgets partitions, and an empty session ends', () => {
  const { cache } = sessions()
  const { sessionId } = cache
    .open(BY_NAME, request(0, 0, [['t', [partition(0), partition(1)]]]), false, unknown)
    .finish([outcome(), outcome()])
  const next = cache.open(
    BY_NAME,
    request(
      sessionId,
      1,
      [
        ['t', [partition(1, 42)]],
        ['u', [partition(0)]],
      ],
      [['t', [0]]],
    ),
    false,
    unknown,
  )
  assert.equal(names(next), ['t-1', 'u-0'])
  assert.is(next.targets[0]!.fetchOffset, 42)
  next.finish([outcome(), outcome()])
  const empty = cache.open(
    BY_NAME,
    request(
      sessionId,
      2,
      [],
      [
        ['t', [1]],
        ['u', [0]],
      ],
    ),
    false,
    unknown,
  )
  assert.equal(empty.finish([]), { errorCode: 0, sessionId: 0, included: [] })
  assert.is(cache.size, 0)
})

test('an unknown session, a wrong epoch and a mix of names and ids are refused', () => {
  const { cache } = sessions()
  assert.is(cache.open(BY_NAME, request(77, 1), false, unknown).errorCode, ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  const { sessionId } = cache.open(BY_NAME, request(0, 0, [['t', [partition(0)]]]), false, unknown).finish([outcome()])
  assert.is(cache.open(BY_NAME, request(sessionId, 2), false, unknown).errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH)
  assert.is(cache.open(BY_ID, request(sessionId, 1), false, unknown).errorCode, ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
  assert.is(cache.open(BY_NAME, request(sessionId, 1), false, unknown).errorCode, 0)
})

test('a full request with a session id closes that session', () => {
  const { cache } = sessions()
  const { sessionId } = cache.open(BY_NAME, request(0, 0, [['t', [partition(0)]]]), false, unknown).finish([outcome()])
  cache.open(BY_NAME, request(sessionId, -1, [['t', [partition(0)]]]), false, unknown)
  assert.is(cache.size, 0)
})

test('an answer of a duplicate request of the same session is an error', () => {
  const { cache } = sessions()
  const { sessionId } = cache.open(BY_NAME, request(0, 0, [['t', [partition(0)]]]), false, unknown).finish([outcome()])
  const slow = cache.open(BY_NAME, request(sessionId, 1), false, unknown)
  const fast = cache.open(BY_NAME, request(sessionId, 2), false, unknown)
  assert.is(fast.finish([outcome()]).errorCode, 0)
  assert.is(slow.finish([outcome()]).errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH)
})

test('a topic id that was unknown is found as soon as the broker knows it', () => {
  const { cache } = sessions()
  const topic = { topic: '', topicId: 'AAAAAAAAAAAAAAAAAAAABQ', partitions: [partition(0)] }
  const full = cache.open(BY_ID, { ...request(0, 0), topics: [topic] }, false, unknown)
  assert.is(full.targets[0]!.topic, undefined)
  const { sessionId } = full.finish([outcome({ errorCode: ErrorCode.UNKNOWN_TOPIC_ID })])
  const next = cache.open(BY_ID, request(sessionId, 1), false, () => 'late')
  assert.is(next.targets[0]!.topic, 'late')
})

test('a full cache makes no session for a newcomer until one is stale or old and no larger', () => {
  const { cache, clock } = sessions(2)
  const open = (size: number, follower = false) =>
    cache
      .open(
        BY_NAME,
        request(0, 0, [['t', Array.from({ length: size }, (_, index) => partition(index))]]),
        follower,
        unknown,
      )
      .finish(Array.from({ length: size }, () => outcome())).sessionId
  const small = open(1)
  const large = open(5)
  assert.is(open(3), 0)
  clock.ms = 110_000
  cache.open(BY_NAME, request(small, 1), false, unknown).finish([outcome()])
  cache.open(BY_NAME, request(large, 1), false, unknown).finish(Array.from({ length: 5 }, () => outcome()))
  clock.ms = 130_000
  // Both were used lately and are old enough: the smaller one gives way to a larger newcomer.
  const third = open(3)
  assert.ok(third > 0)
  assert.is(cache.open(BY_NAME, request(small, 2), false, unknown).errorCode, ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  assert.is(open(2), 0)
  // A follower displaces a young consumer.
  assert.ok(open(3, true) > 0)
  assert.is(cache.open(BY_NAME, request(third, 1), false, unknown).errorCode, ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  clock.ms = 300_000
  assert.ok(open(1) > 0)
})

test.run()
