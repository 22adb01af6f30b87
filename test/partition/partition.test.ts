import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Appended, Log, PreparedAnswer } from '../../src/log/log.ts'
import { Origin, Wake } from '../../src/log/log.ts'
import { Partition } from '../../src/partition/partition.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { HandLog } from '../support/hand-log.ts'

const test = suite('partition')

const NODE = 1
const topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
const leadership = (leaderEpoch: number, leader = NODE) => ({ leader, leaderEpoch, isr: [NODE], replicas: [NODE] })

const opened = (log: HandLog, flush: 'group' | 'os' = 'group', epoch = 0) => {
  const partition = new Partition('t', topicId, 0, NODE)
  partition.lead(leadership(epoch))
  partition.attach(log as unknown as Log, { flush, minInSyncReplicas: 1, timestampType: 'CreateTime' })
  return partition
}

const batch = new Uint8Array(61)

class Sink {
  readonly results: string[] = []
  appended(slot: number, result: Appended) {
    this.results.push(result.code === 0 ? `${slot}@${result.base}` : `${slot}!${result.code}`)
  }
}

test('with flush=group nothing is readable and acks=all is not answered before the sync', () => {
  const log = new HandLog()
  const partition = opened(log)
  const sink = new Sink()
  partition.append(batch, 1, sink, 1)
  partition.append(batch, -1, sink, 2)
  log.written()
  log.written(3)
  assert.equal(sink.results, ['1@0'])
  assert.is(partition.highWatermark, 0)
  log.synced(1)
  assert.equal(sink.results, ['1@0'])
  assert.is(partition.highWatermark, 1)
  log.synced()
  assert.equal(sink.results, ['1@0', '2@1'])
  assert.is(partition.highWatermark, 4)
  assert.is(log.highWatermark, 4)
})

test('a directory that fails while an epoch begins is heard of once, and ends nothing else', async () => {
  const log = new HandLog()
  const unheard: unknown[] = []
  const hear = (reason: unknown) => void unheard.push(reason)
  process.on('unhandledRejection', hear)
  log.startEpoch = () => Promise.reject(new Error('offline'))
  const partition = opened(log)
  await new Promise(resolve => setTimeout(resolve, 1))
  process.off('unhandledRejection', hear)
  assert.equal(unheard, [])
  partition.fail(ErrorCode.KAFKA_STORAGE_ERROR)
  assert.is(partition.unavailable, ErrorCode.KAFKA_STORAGE_ERROR)
})

test('with flush=os what is written is readable and acks=all is answered at once', () => {
  const log = new HandLog()
  const partition = opened(log, 'os')
  const sink = new Sink()
  partition.append(batch, -1, sink, 7)
  log.written(2)
  assert.equal(sink.results, ['7@0'])
  assert.is(partition.highWatermark, 2)
})

test('an answer may be prepared where an append waits for its write or its sync alone', () => {
  const answers = (partition: Partition) => [-1, 0, 1].map(acks => partition.answersAhead(acks))
  const os = opened(new HandLog(), 'os')
  assert.equal(answers(os), ['written', undefined, 'written'])
  assert.equal(answers(opened(new HandLog())), ['synced', undefined, 'written'])
  os.configure({ flush: 'os', minInSyncReplicas: 1, timestampType: 'LogAppendTime' })
  assert.equal(answers(os), [undefined, undefined, undefined])
  os.configure({ flush: 'os', minInSyncReplicas: 1, timestampType: 'CreateTime' })
  os.lead({ leader: NODE, leaderEpoch: 0, isr: [NODE, 2], replicas: [NODE, 2] })
  assert.equal(answers(os), [undefined, undefined, 'written'])
  os.lead(leadership(1, 2))
  assert.equal(answers(os), [undefined, undefined, undefined])
})

const preparedAnswer = (untilSynced: boolean): PreparedAnswer => ({
  connection: { slot: 1, generation: 1 },
  sequence: 0,
  bytes: new Uint8Array(8),
  offsetAt: 0,
  untilSynced,
})

test('a prepared answer goes with its append, which wakes nobody, and moves the limits when it has left', () => {
  const log = new HandLog()
  const partition = opened(log, 'os')
  const sink = new Sink()
  const prepared = preparedAnswer(false)
  partition.append(batch, -1, sink, 7, prepared)
  assert.is(log.appends[0]?.prepared, prepared)
  assert.is(log.appends[0]?.options.wake, Wake.never)
  log.written(2, { answered: true })
  assert.equal(sink.results, ['7@0'])
  assert.is(partition.highWatermark, 2)
  // It has left: what was decided since can't hold it back.
  partition.append(batch, -1, sink, 8, prepared)
  partition.configure({ flush: 'group', minInSyncReplicas: 1, timestampType: 'CreateTime' })
  log.written(2, { answered: true })
  assert.equal(sink.results, ['7@0', '8@2'])
})

/** How the answers of the appends 1, 2, … of a fresh partition are given, `(ahead)` or by its sink. */
function awaitingSync() {
  const log = new HandLog()
  const partition = opened(log)
  const told: string[] = []
  const sink = {
    appended: (slot: number, { code, answered }: Appended) =>
      void told.push(`${slot}:${code}${answered ? ' ahead' : ''}`),
  }
  let slots = 0
  const append = (result: Partial<Appended> = { answered: true }) => {
    assert.is(partition.append(batch, -1, sink, ++slots, preparedAnswer(true)), 0)
    assert.is(log.appends.at(-1)?.options.wake, Wake.never)
    log.written(1, result)
  }
  return { log, partition, told, append }
}

test('a prepared answer that awaits the sync has left when the sync is told, and moves the high watermark', () => {
  const { log, partition, told, append } = awaitingSync()
  append()
  append()
  assert.equal(told, [])
  log.synced(1)
  assert.equal(told, ['1:0 ahead'])
  log.synced()
  assert.equal(told, ['1:0 ahead', '2:0 ahead'])
  assert.is(partition.highWatermark, 2)
})

test('a sync that is told before its append leaves nothing to wait for', () => {
  const { log, told, append } = awaitingSync()
  log.synced(1)
  append()
  assert.equal(told, ['1:0 ahead'])
})

test('a prepared answer that no sync will send is given here', () => {
  const { partition, told, append } = awaitingSync()
  append()
  partition.fail(ErrorCode.KAFKA_STORAGE_ERROR)
  assert.equal(told, [`1:${ErrorCode.KAFKA_STORAGE_ERROR}`])
})

test('a prepared answer that its append forgot is given here, as soon as the sync is told', () => {
  const { log, told, append } = awaitingSync()
  append()
  append({ duplicate: true, base: 0, end: 1 })
  assert.equal(log.calls.slice(-1), ['watch 0 synced'])
  log.synced(1)
  assert.equal(told, ['1:0 ahead', '2:0'])
})

test('with another log in the place of the one that would have sent them, answers are given here', async () => {
  const { log, partition, told, append } = awaitingSync()
  append()
  await partition.pause()
  const other = new HandLog(log.endOffset)
  partition.resume(other as unknown as Log)
  assert.equal(told, ['1:0'])
})

test('a duplicate waits for the end of the original batch and moves nothing', () => {
  const log = new HandLog()
  const partition = opened(log)
  const sink = new Sink()
  for (const slot of [0, 1, 2]) partition.append(batch, -1, sink, slot)
  log.written(5)
  log.written(5)
  log.complete({ base: 0, end: 5, duplicate: true })
  assert.is(partition.logEndOffset, 10)
  log.synced(5)
  assert.equal(sink.results, ['0@0', '2@0'])
  log.synced(10)
  assert.equal(sink.results, ['0@0', '2@0', '1@5'])
})

test('a refused append is told with its code and the others are not held up', () => {
  const log = new HandLog()
  const partition = opened(log)
  const sink = new Sink()
  partition.append(batch, -1, sink, 0)
  partition.append(batch, -1, sink, 1)
  log.complete({ code: ErrorCode.CORRUPT_MESSAGE })
  log.written()
  log.synced()
  assert.equal(sink.results, ['0!2', '1@0'])
})

test('an append names the leader epoch, and a new epoch takes effect when those of the old one are complete', () => {
  const log = new HandLog(3, { latestEpoch: 1 })
  const partition = opened(log, 'group', 2)
  assert.equal(log.calls, ['epoch 2 at 3'])
  const sink = new Sink()
  partition.append(batch, 1, sink, 0)
  assert.is(log.appends[0]!.options.leaderEpoch, 2)
  partition.lead(leadership(3))
  assert.is(partition.leaderEpoch, 2)
  assert.is(partition.append(batch, 1, sink, 1), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  log.written()
  assert.is(partition.leaderEpoch, 3)
  assert.equal(log.calls, ['epoch 2 at 3', 'epoch 3 at 4'])
  assert.is(partition.append(batch, 1, sink, 2), 0)
  assert.is(log.appends[0]!.options.leaderEpoch, 3)
})

test('a restart in the same leader epoch starts no new one', () => {
  const log = new HandLog(3, { latestEpoch: 2 })
  opened(log, 'group', 2)
  assert.equal(log.calls, [])
})

test('losing the leadership ends the waits, and clients are told who may not serve them', () => {
  const log = new HandLog()
  const partition = opened(log)
  partition.lead({ ...leadership(0), isr: [NODE, 2] })
  const sink = new Sink()
  partition.append(batch, -1, sink, 0)
  log.written()
  partition.lead(leadership(1, 2))
  assert.equal(sink.results, ['0!6'])
  assert.is(partition.append(batch, -1, sink, 1), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.is(partition.access(-1, true), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.is(partition.access(-1, false), 0)
})

test('a replica alone in sync answers what it has written before it lets go of the leadership', () => {
  const log = new HandLog()
  const partition = opened(log)
  const sink = new Sink()
  partition.append(batch, -1, sink, 0)
  partition.append(batch, -1, sink, 1)
  log.written()
  partition.lead(leadership(1, -1))
  log.written()
  log.synced(1)
  assert.equal(sink.results, ['0@0'])
  assert.is(partition.append(batch, -1, sink, 2), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.is(partition.isLeader, true)
  log.synced()
  assert.equal(sink.results, ['0@0', '1@1'])
  assert.is(partition.isLeader, false)
  assert.is(partition.leaderEpoch, 1)
})

test('a failing disk ends the waits of a leadership that is on its way out', () => {
  const log = new HandLog()
  const partition = opened(log)
  const sink = new Sink()
  partition.append(batch, -1, sink, 0)
  log.written()
  partition.lead(leadership(1, -1))
  partition.onFailed(ErrorCode.KAFKA_STORAGE_ERROR)
  assert.equal(sink.results, ['0!56'])
  assert.is(partition.isLeader, false)
})

test('a client with another leader epoch is fenced or told that it is ahead', () => {
  const partition = opened(new HandLog(), 'group', 5)
  assert.is(partition.access(4, true), ErrorCode.FENCED_LEADER_EPOCH)
  assert.is(partition.access(5, true), 0)
  assert.is(partition.access(6, true), ErrorCode.UNKNOWN_LEADER_EPOCH)
  assert.is(partition.access(-1, true), 0)
})

test('acks=all is refused when fewer replicas are in sync than the topic asks for', () => {
  const log = new HandLog()
  const partition = new Partition('t', topicId, 0, NODE)
  partition.lead({ leader: NODE, leaderEpoch: 0, isr: [NODE], replicas: [NODE, 2, 3] })
  partition.attach(log as unknown as Log, { flush: 'group', minInSyncReplicas: 2, timestampType: 'CreateTime' })
  const sink = new Sink()
  assert.is(partition.append(batch, -1, sink, 0), ErrorCode.NOT_ENOUGH_REPLICAS)
  assert.is(partition.append(batch, 1, sink, 1), 0)
})

test('the last stable offset stays at an open transaction, and at a closed one until its marker is readable', () => {
  const log = new HandLog()
  const partition = opened(log)
  const sink = new Sink()
  for (const slot of [0, 1, 2]) partition.append(batch, 1, sink, slot)
  log.written(4)
  log.written(2, { oldestOpenTransaction: 4 })
  log.synced()
  assert.is(partition.highWatermark, 6)
  assert.is(partition.lastStableOffset, 4)
  log.written(1, { oldestOpenTransaction: -1, closedTransactionFirst: 4 })
  assert.is(partition.lastStableOffset, 4)
  log.synced()
  assert.is(partition.lastStableOffset, 7)
  assert.is(partition.limit(0), 7)
  assert.is(partition.limit(1), 7)
})

test('the bytes below the high watermark grow by the batches that became readable', () => {
  const log = new HandLog(2)
  const partition = opened(log)
  const sink = new Sink()
  assert.is(partition.bytesToHighWatermark, 200)
  partition.append(batch, 1, sink, 0)
  partition.append(batch, 1, sink, 1)
  log.written(3)
  log.written(4)
  assert.is(partition.bytesToHighWatermark, 200)
  log.synced(5)
  assert.is(partition.bytesToHighWatermark, 500)
  log.synced()
  assert.is(partition.bytesToHighWatermark, 900)
})

test('a delayed fetch hears of each move, has the next one watched, and of what ends its wait', () => {
  const log = new HandLog()
  const partition = opened(log)
  const heard: string[] = []
  const waiter = {
    moved: () => void heard.push(`moved ${partition.highWatermark}`),
    interrupted: () => void heard.push('interrupted'),
  }
  partition.addFetchWaiter(waiter)
  assert.equal(log.calls.slice(1), ['watch 0 synced'])
  const sink = new Sink()
  partition.append(batch, 1, sink, 0)
  log.written()
  assert.equal(heard, [])
  log.synced()
  assert.equal(heard, ['moved 1'])
  assert.equal(log.calls.slice(1), ['watch 0 synced', 'watch 1 synced'])
  partition.onFailed(ErrorCode.KAFKA_STORAGE_ERROR)
  assert.equal(heard, ['moved 1', 'interrupted'])
})

test('a failed directory fails who waits and every later call', () => {
  const log = new HandLog()
  const partition = opened(log)
  const sink = new Sink()
  partition.append(batch, -1, sink, 0)
  log.written()
  const codes: number[] = []
  partition.whenReadable(1, code => void codes.push(code))
  partition.onFailed(ErrorCode.KAFKA_STORAGE_ERROR)
  assert.equal(sink.results, ['0!56'])
  assert.equal(codes, [56])
  assert.is(partition.append(batch, -1, sink, 1), ErrorCode.KAFKA_STORAGE_ERROR)
  assert.is(partition.access(-1, true), ErrorCode.KAFKA_STORAGE_ERROR)
})

test('an append that was under way when the directory failed is not left waiting', () => {
  const log = new HandLog()
  const partition = opened(log)
  const sink = new Sink()
  partition.append(batch, -1, sink, 0)
  partition.onFailed(ErrorCode.KAFKA_STORAGE_ERROR)
  log.written()
  assert.equal(sink.results, ['0!56'])
})

test('a partition without a log is not served, one of a deleted topic is unknown', () => {
  const partition = new Partition('t', topicId, 0, NODE)
  partition.lead(leadership(0))
  assert.is(partition.access(-1, true), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  partition.remove()
  assert.is(partition.access(-1, true), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
})

test('what waits for an offset to be readable is called once it is, at once if it is', () => {
  const log = new HandLog()
  const partition = opened(log)
  const codes: number[] = []
  partition.whenReadable(0, code => void codes.push(code))
  assert.equal(codes, [0])
  partition.append(batch, 1, new Sink(), 0)
  log.written(2)
  partition.whenReadable(2, code => void codes.push(code))
  assert.equal(codes, [0])
  log.synced()
  assert.equal(codes, [0, 0])
})

class Tenant {
  readonly news: (number | string)[] = []
  highWatermarkMoved(highWatermark: number) {
    this.news.push(highWatermark)
  }
  leadershipEnded() {
    this.news.push('ended')
  }
}

test('a batch of a coordinator goes out in its epoch, where it expects the end, and the tenant hears when it is readable', () => {
  const log = new HandLog()
  const partition = opened(log)
  const sink = new Sink()
  const tenant = new Tenant()
  partition.settle(tenant)
  assert.is(partition.appendAsCoordinator(batch, 0, 7, sink, 1), 0)
  const { options } = log.appends[0]!
  assert.equal(
    [options.origin, options.wake, options.expectedBase, options.leaderEpoch],
    [Origin.coordinator, Wake.synced, 7, 0],
  )
  log.written(2)
  assert.equal([sink.results, tenant.news], [['1@0'], []])
  log.synced()
  assert.equal(tenant.news, [2])
  partition.append(batch, 1, sink, 2)
  log.written()
  log.synced()
  assert.equal(tenant.news, [2, 3])
})

test('a batch of a coordinator is refused at once in another epoch and with too few replicas', () => {
  const partition = opened(new HandLog())
  const sink = new Sink()
  partition.lead(leadership(1))
  assert.is(partition.appendAsCoordinator(batch, 0, 0, sink, 1), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  partition.configure({ flush: 'group', minInSyncReplicas: 2, timestampType: 'CreateTime' })
  partition.lead({ leader: NODE, leaderEpoch: 1, isr: [NODE], replicas: [NODE, 2] })
  assert.is(partition.appendAsCoordinator(batch, 1, 0, sink, 1), ErrorCode.NOT_ENOUGH_REPLICAS)
})

test('a tenant hears once that its leadership ended, after the appends under way', () => {
  const log = new HandLog()
  const partition = opened(log)
  const sink = new Sink()
  const tenant = new Tenant()
  partition.settle(tenant)
  partition.appendAsCoordinator(batch, 0, 0, sink, 1)
  partition.lead(leadership(1))
  assert.equal(tenant.news, [])
  assert.is(partition.appendAsCoordinator(batch, 0, 1, sink, 2), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  log.written()
  assert.equal([sink.results, tenant.news], [['1@0'], ['ended']])
  log.synced()
  partition.lead(leadership(2, 2))
  partition.remove()
  assert.equal(tenant.news, ['ended'])
})

test('a deleted partition, and one whose directory failed, have no tenant any more', () => {
  for (const end of ['remove', 'fail'] as const) {
    const partition = opened(new HandLog())
    const tenant = new Tenant()
    const gone = new Tenant()
    partition.settle(gone)()
    partition.settle(tenant)
    partition[end](ErrorCode.KAFKA_STORAGE_ERROR)
    assert.equal([gone.news, tenant.news], [[], ['ended']])
  }
})

const replaced = async (partition: Partition, log: HandLog) => {
  await partition.pause()
  partition.resume(log as unknown as Log)
}

test('appends that come while the log is replaced go to the one that takes its place, in order', async () => {
  const log = new HandLog(2)
  const other = new HandLog(3)
  const partition = opened(log, 'os')
  const sink = new Sink()
  partition.append(batch, 1, sink, 1)
  let isPaused = false
  const paused = partition.pause().then(() => (isPaused = true))
  partition.append(batch, 1, sink, 2)
  partition.append(batch, 1, sink, 3)
  await Promise.resolve()
  assert.is(isPaused, false)
  log.written()
  await paused
  assert.equal([log.appends.length, other.appends.length], [0, 0])
  partition.resume(other as unknown as Log)
  other.written()
  other.written()
  assert.equal(sink.results, ['1@2', '2@3', '3@4'])
  assert.is(partition.highWatermark, 5)
})

test('a read and a look-up that failed because the log was replaced are made again in the other', async () => {
  const log = new HandLog(2)
  const other = new HandLog(2)
  const partition = opened(log)
  const codes: number[] = []
  const options = { from: 0, limit: 2, maxBytes: 100, atLeastOne: true, toMemory: true }
  partition.read(options, ({ code }) => codes.push(code))
  partition.read(options, ({ code }) => codes.push(code))
  const asked: unknown[] = []
  const question = async (each: Log) => {
    asked.push(each)
    if (each === (log as unknown as Log)) await replaced(partition, other)
    return {
      code: each === (log as unknown as Log) ? ErrorCode.KAFKA_STORAGE_ERROR : 0,
      offset: 1,
      timestamp: 1n,
      leaderEpoch: 0,
    }
  }
  assert.is((await partition.lookUp(question)).code, 0)
  assert.equal(asked, [log, other])
  log.wasRead({ code: ErrorCode.NOT_LEADER_OR_FOLLOWER })
  log.wasRead({ code: 0 })
  other.wasRead({ code: ErrorCode.KAFKA_STORAGE_ERROR })
  assert.equal(codes, [0, ErrorCode.KAFKA_STORAGE_ERROR])
})

test.run()
