import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Outcome } from '../../src/coordinator/shard.ts'
import { Refusal } from '../../src/coordinator/shard.ts'
import { MetadataDelta } from '../../src/metadata/delta.ts'
import { emptyImage } from '../../src/metadata/image.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { BatchView } from '../../src/records/batch.ts'
import { buildBatch } from '../../src/records/builder.ts'
import { CoordinatorRig } from '../support/coordinator.ts'
import type { Count } from '../support/counter-shard.ts'
import { CounterShard, countSerde } from '../support/counter-shard.ts'

const test = suite('coordinator runtime')

const rig = (more: { partitions?: number; lingerMs?: () => number } = {}) =>
  new CoordinatorRig<CounterShard, Count>({
    serde: countSerde,
    makeShard: context => new CounterShard(context),
    ...more,
  }).start()

type Rig = Awaited<ReturnType<typeof rig>>

/** Begins a write, and says how it ended once it has. */
const begin = (at: Rig, operation: (shard: CounterShard) => Outcome<Count, number>, timeoutMs = 5_000) => {
  const ended: { how?: number | string } = {}
  at.runtime.write(0, 'test', timeoutMs, operation).then(
    response => {
      ended.how = response
    },
    (error: Refusal) => {
      ended.how = `refused ${error.code}`
    },
  )
  return ended
}

const refused = async (promise: Promise<unknown>): Promise<number> => {
  try {
    await promise
  } catch (error) {
    assert.instance(error, Refusal)
    return (error as Refusal).code
  }
  throw new Error('it was not refused')
}

const inLog = (at: Rig): string[] =>
  at.writer.records(0).map(({ key, value }) => {
    const record = countSerde.deserialize({ key: key as Uint8Array, value })
    return `${record?.name}=${record?.value}`
  })

test('a write is answered when its records are committed, and seen by later operations at once', async () => {
  const at = await rig()
  at.writer.holdCommits = true
  const first = begin(at, shard => shard.add(['a'], 1))
  const second = begin(at, shard => shard.add(['a'], 1))
  await at.host.settle()
  assert.equal(at.shard().state, [['a', 2]])
  assert.equal(inLog(at), ['a=1', 'a=2'])
  assert.equal([first.how, second.how], [undefined, undefined])
  at.writer.holdCommits = false
  at.writer.resume()
  await at.host.settle()
  assert.equal([first.how, second.how], [1, 2])
})

test('operations of one event turn share a batch, and those of two do not', async () => {
  const at = await rig()
  for (let index = 0; index < 10; index++) begin(at, shard => shard.add([`a${index}`], 1))
  await at.host.settle()
  assert.is(at.writer.batches(0).length, 1)
  begin(at, shard => shard.add(['b'], 1))
  await at.host.settle()
  assert.is(at.writer.batches(0).length, 2)
})

test('operations that microtasks of one turn begin share a batch too', async () => {
  const at = await rig()
  for (let index = 0; index < 10; index++) void Promise.resolve().then(() => begin(at, shard => shard.add(['a'], 1)))
  await at.host.settle()
  assert.is(at.writer.batches(0).length, 1)
  assert.is(at.writer.records(0).length, 10)
})

test('with a linger of 0 each operation is a batch, with a longer one all of that time are', async () => {
  const apart = await rig({ lingerMs: () => 0 })
  for (let index = 0; index < 3; index++) begin(apart, shard => shard.add(['a', 'b'], 1))
  await apart.host.settle()
  assert.is(apart.writer.batches(0).length, 3)
  const together = await rig({ lingerMs: () => 5 })
  begin(together, shard => shard.add(['a'], 1))
  await together.host.advance(4)
  begin(together, shard => shard.add(['a'], 1))
  assert.is(together.writer.batches(0).length, 0)
  await together.host.advance(1)
  assert.is(together.writer.batches(0).length, 1)
})

test('the offsets told to replay are those of the log', async () => {
  const at = await rig()
  await at.write(shard => shard.add(['a', 'b'], 1))
  await at.write(shard => shard.add(['c'], 1))
  assert.equal(
    at.shard().origins.map(origin => origin.offset),
    [0, 1, 2],
  )
  const again = await at.reload()
  assert.equal(
    again.origins.map(origin => origin.offset),
    [0, 1, 2],
  )
})

test('an operation without records and a read wait for what they saw', async () => {
  const at = await rig()
  at.writer.holdCommits = true
  begin(at, shard => shard.add(['a'], 1))
  const looked = begin(at, shard => ({ records: [], response: shard.get('a') }))
  let read: number | undefined
  void at.runtime
    .read(0, 'test', shard => shard.get('a'))
    .then(value => {
      read = value
    })
  await at.host.settle()
  assert.equal([looked.how, read], [undefined, undefined])
  at.writer.holdCommits = false
  at.writer.resume()
  await at.host.settle()
  assert.equal([looked.how, read], [1, 1])
})

test('an operation without records and a read are answered at once when nothing is pending', async () => {
  const at = await rig()
  at.writer.holdCommits = true
  assert.is(await at.runtime.write(0, 'test', 1_000, shard => ({ records: [], response: shard.get('a') })), 0)
  assert.is(await at.runtime.read(0, 'test', shard => shard.get('a')), 0)
})

test('a refused append takes the state back and fails everything behind it, and later writes go on from there', async () => {
  const at = await rig()
  await at.write(shard => shard.add(['a'], 1))
  at.writer.holdAppends = true
  const settled: number[] = []
  const settle = { settled: (code: number) => void settled.push(code) }
  const first = begin(at, shard => shard.add(['a'], 1, settle))
  await at.host.settle()
  const second = begin(at, shard => shard.add(['b'], 1, settle))
  await at.host.settle()
  const looked = begin(at, shard => ({ records: [], response: shard.get('a'), ...settle }))
  const open = begin(at, shard => shard.add(['c'], 1, settle))
  assert.equal(at.shard().state, [
    ['a', 2],
    ['b', 1],
    ['c', 1],
  ])
  at.writer.holdAppends = false
  at.writer.resume()
  at.writer.plan = batch => (batch.baseOffset === 1 ? ErrorCode.NOT_ENOUGH_REPLICAS : ErrorCode.NONE)
  await at.host.settle()
  const code = `refused ${ErrorCode.NOT_ENOUGH_REPLICAS}`
  assert.equal([first.how, second.how, looked.how, open.how], [code, code, code, code])
  assert.equal(settled, Array(4).fill(ErrorCode.NOT_ENOUGH_REPLICAS))
  assert.equal(at.shard().state, [['a', 1]])
  at.writer.plan = () => ErrorCode.NONE
  assert.is(await at.write(shard => shard.add(['a'], 5)), 6)
  assert.equal(inLog(at), ['a=1', 'a=6'])
  assert.equal((await at.reload()).state, [['a', 6]])
})

test('what was appended before the refused batch stays and is answered', async () => {
  const at = await rig()
  at.writer.holdCommits = true
  const first = begin(at, shard => shard.add(['a'], 1))
  await at.host.settle()
  at.writer.plan = () => ErrorCode.KAFKA_STORAGE_ERROR
  const second = begin(at, shard => shard.add(['a'], 1))
  await at.host.settle()
  assert.is(second.how, `refused ${ErrorCode.KAFKA_STORAGE_ERROR}`)
  assert.equal([first.how, at.shard().state], [undefined, [['a', 1]]])
  at.writer.holdCommits = false
  at.writer.resume()
  await at.host.settle()
  assert.is(first.how, 1)
})

test('a read runs again when what it saw is taken back', async () => {
  const at = await rig()
  at.writer.plan = () => ErrorCode.NOT_ENOUGH_REPLICAS
  begin(at, shard => shard.add(['a'], 1))
  const seen: number[] = []
  const read = at.read(shard => {
    seen.push(shard.get('a'))
    return shard.get('a')
  })
  assert.is(await read, 0)
  assert.equal(seen, [1, 0])
})

test('a refusal waits as well, since what it saw may be taken back', async () => {
  const at = await rig()
  at.writer.plan = () => ErrorCode.NOT_ENOUGH_REPLICAS
  begin(at, shard => shard.add(['a'], 1))
  const no = begin(at, shard => {
    if (shard.get('a') === 1) throw new Refusal(ErrorCode.FENCED_INSTANCE_ID)
    return { records: [], response: 0 }
  })
  assert.is(no.how, undefined)
  await at.host.settle()
  assert.is(no.how, `refused ${ErrorCode.NOT_ENOUGH_REPLICAS}`)
  at.writer.plan = () => ErrorCode.NONE
  assert.is(await refused(at.write(shard => shard.add(['a'], 0))), ErrorCode.INVALID_REQUEST)
})

test('an operation that throws leaves nothing behind', async () => {
  const at = await rig()
  const failing = at.write(shard => {
    shard.counts.set('a', 7)
    throw new TypeError('a mistake')
  })
  assert.is(await refused(failing), ErrorCode.UNKNOWN_SERVER_ERROR)
  assert.equal(at.shard().state, [])
})

test('a change that an operation makes by itself goes with the records behind it', async () => {
  const at = await rig()
  at.writer.plan = () => ErrorCode.NOT_ENOUGH_REPLICAS
  await refused(
    at.write(shard => {
      shard.counts.set('empty', 0)
      return shard.add(['a'], 1)
    }),
  )
  assert.equal(at.shard().state, [])
  await at.write(shard => {
    shard.counts.set('empty', 0)
    return { records: [], response: 0 }
  })
  await refused(at.write(shard => shard.add(['a'], 1)))
  assert.equal(at.shard().state, [['empty', 0]])
})

test('a record that does not fit a batch is refused before anything is replayed', async () => {
  const at = await rig()
  at.writer.maxBytes = 200
  const settled: number[] = []
  const large = 'x'.repeat(200)
  const more = { settled: (code: number) => void settled.push(code) }
  assert.is(await refused(at.write(shard => shard.add(['a', large], 1, more))), ErrorCode.MESSAGE_TOO_LARGE)
  assert.equal([settled, at.shard().state, at.shard().origins], [[ErrorCode.MESSAGE_TOO_LARGE], [], []])
  assert.equal(inLog(at), [])
})

test('an atomic result too large for a batch is refused as a whole, and any other is split', async () => {
  const at = await rig()
  at.writer.maxBytes = 200
  const names = Array.from({ length: 30 }, (_, index) => `counter-${index}`)
  assert.is(await refused(at.write(shard => shard.add(names, 1, { atomic: true }))), ErrorCode.RECORD_LIST_TOO_LARGE)
  assert.equal(at.shard().state, [])
  assert.is(await at.write(shard => shard.add(names, 1)), 1)
  assert.is(at.writer.records(0).length, 30)
  const sizes = at.writer.batches(0).map(batch => batch.length)
  assert.ok(sizes.length > 2 && sizes.every(size => size <= 200), `batches of ${sizes}`)
})

test('an atomic result goes into the next batch when the open one has no room for all of it', async () => {
  const at = await rig()
  at.writer.maxBytes = 200
  const names = Array.from({ length: 6 }, (_, index) => `counter-${index}`)
  begin(at, shard => shard.add(['a', 'b', 'c', 'd'], 1))
  begin(at, shard => shard.add(names, 1, { atomic: true }))
  await at.host.settle()
  assert.equal(
    at.writer.batches(0).map(batch => BatchView.at(batch, 0)?.count),
    [4, 6],
  )
})

test('a batch is filled to the last byte', async () => {
  const at = await rig()
  // A record here takes 1 + 4 + 2 + 2 bytes and a header count.
  at.writer.maxBytes = 61 + 3 * 10
  for (const name of ['a', 'b', 'c']) begin(at, shard => shard.add([name], 1))
  await at.host.settle()
  assert.equal(
    at.writer.batches(0).map(batch => batch.length),
    [61 + 3 * 9],
  )
  at.writer.maxBytes = 61 + 3 * 9 - 1
  for (const name of ['a', 'b', 'c']) begin(at, shard => shard.add([name], 1))
  await at.host.settle()
  assert.equal(
    at.writer.batches(0).map(batch => batch.length),
    [61 + 3 * 9, 61 + 2 * 9, 61 + 9],
  )
})

test('a record that can not be replayed fails its batch', async () => {
  const at = await rig()
  const before = begin(at, shard => shard.add(['a'], 1))
  const bad = begin(at, shard => shard.add(['b', 'poison'], 1))
  await at.host.settle()
  const code = `refused ${ErrorCode.UNKNOWN_SERVER_ERROR}`
  assert.equal([before.how, bad.how, at.shard().state], [code, code, []])
  assert.is(await at.write(shard => shard.add(['a'], 1)), 1)
  assert.equal(inLog(at), ['a=1'])
})

test('a write that takes too long is answered REQUEST_TIMED_OUT, and is written nevertheless', async () => {
  const at = await rig()
  at.writer.holdCommits = true
  const settled: number[] = []
  const impatient = begin(at, shard => shard.add(['a'], 1, { settled: code => void settled.push(code) }), 1_000)
  const patient = begin(at, shard => shard.add(['a'], 1), 3_000)
  await at.host.advance(1_000)
  assert.equal([impatient.how, patient.how, settled], [`refused ${ErrorCode.REQUEST_TIMED_OUT}`, undefined, []])
  await at.host.advance(2_000)
  assert.is(patient.how, `refused ${ErrorCode.REQUEST_TIMED_OUT}`)
  assert.equal(at.shard().state, [['a', 2]])
  at.writer.holdCommits = false
  at.writer.resume()
  await at.host.settle()
  assert.equal(settled, [0])
})

test('a log that went on without its shard has it loaded again', async () => {
  const at = await rig()
  await at.write(shard => shard.add(['a'], 1))
  const { key, value } = countSerde.serialize({ name: 'foreign', value: 9 })
  at.writer.intrude(0, buildBatch([{ key, value }], { baseOffset: 1, leaderEpoch: 0, timestamp: 0n }))
  const first = at.shard()
  const lost = begin(at, shard => shard.add(['a'], 1))
  await at.host.settle()
  assert.is(lost.how, `refused ${ErrorCode.NOT_COORDINATOR}`)
  assert.is.not(at.shard(), first)
  assert.equal(first.told, ['loaded', 'unloaded'])
  assert.equal(at.shard().state, [
    ['a', 1],
    ['foreign', 9],
  ])
  assert.is(await at.write(shard => shard.add(['a'], 1)), 2)
})

test('what somebody else has written where a batch was to be does not commit it', async () => {
  const at = await rig()
  at.writer.holdCommits = true
  at.intrude({ name: 'foreign', value: 9 })
  const lost = begin(at, shard => shard.add(['a'], 1))
  await Promise.resolve()
  at.writer.holdCommits = false
  at.writer.commitNow()
  assert.is(lost.how, undefined)
  await at.host.settle()
  assert.is(lost.how, `refused ${ErrorCode.NOT_COORDINATOR}`)
})

test('a log that went on during the load is loaded again', async () => {
  const at = await rig()
  let loads = 0
  at.writer.planLoad = () => {
    loads++
    return ErrorCode.NONE
  }
  at.runtime.elected(0, at.writer.lose(0))
  at.writer.afterLoad = () => at.intrude({ name: 'foreign', value: 9 })
  await at.host.settle()
  at.writer.afterLoad = () => {}
  await at.host.advance(1_000)
  assert.equal([loads, at.shard().state], [2, [['foreign', 9]]])
})

test('a read waits for the newest batch of several, and a revert takes back those behind what is committed', async () => {
  const at = await rig()
  at.writer.holdCommits = true
  begin(at, shard => shard.add(['a'], 1))
  await at.host.settle()
  at.writer.holdAppends = true
  at.writer.plan = () => ErrorCode.NOT_ENOUGH_REPLICAS
  begin(at, shard => shard.add(['a'], 1))
  await at.host.settle()
  const read: number[] = []
  void at.runtime.read(0, 'test', shard => shard.get('a')).then(value => void read.push(value))
  // The first is committed while the second is on its way, and only the second is taken back.
  at.writer.holdCommits = false
  at.writer.commitNow()
  await at.host.settle()
  assert.equal(read, [])
  begin(at, shard => shard.add(['a'], 1))
  at.writer.holdAppends = false
  at.writer.resume()
  await at.host.settle()
  assert.equal([at.shard().state, read], [[['a', 1]], [1]])
})

test('operations are refused before the election, while loading, after a failed load and after the end', async () => {
  const at = new CoordinatorRig<CounterShard, Count>({
    serde: countSerde,
    makeShard: context => new CounterShard(context),
  })
  const write = () => refused(at.runtime.write(0, 'test', 1_000, shard => shard.add(['a'], 1)))
  const read = () => refused(at.runtime.read(0, 'test', shard => shard.get('a')))
  assert.equal([await write(), await read()], [ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_COORDINATOR])
  at.writer.planLoad = () => ErrorCode.KAFKA_STORAGE_ERROR
  at.runtime.elected(0, 0)
  const loading = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
  assert.equal([await write(), await read()], [loading, loading])
  await at.host.settle()
  assert.equal([await write(), await read()], [ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_COORDINATOR])
  at.writer.planLoad = () => ErrorCode.NONE
  await at.host.advance(1_000)
  assert.is(await at.write(shard => shard.add(['a'], 1)), 1)
  at.runtime.close()
  assert.equal([await write(), await read()], [ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_COORDINATOR])
  at.runtime.elected(0, 1)
  assert.is(await write(), ErrorCode.NOT_COORDINATOR)
})

test('a load that fails on a record is not tried again before another election', async () => {
  const at = await rig()
  await at.write(shard => shard.add(['a', 'malformed'], 1))
  const first = at.shard()
  await at.reload()
  const failed = at.shard()
  assert.is.not(failed, first)
  await at.host.advance(600_000)
  assert.is(at.shard(), failed)
  assert.is(await refused(at.write(shard => shard.add(['a'], 1))), ErrorCode.NOT_COORDINATOR)
  await at.reload()
  assert.is.not(at.shard(), failed)
})

test('a log that holds what is no batch of this format fails the load', async () => {
  const at = await rig()
  await at.write(shard => shard.add(['a'], 1))
  const old = buildBatch([countSerde.serialize({ name: 'b', value: 1 })], {
    baseOffset: 1,
    leaderEpoch: 0,
    timestamp: 0n,
  })
  at.writer.intrude(0, old)
  await at.host.settle()
  old[16] = 1
  await at.reload()
  assert.is(await refused(at.write(shard => shard.add(['a'], 1))), ErrorCode.NOT_COORDINATOR)
})

test('a record of an unknown kind is passed over', async () => {
  const at = await rig()
  await at.write(shard => shard.add(['unknown', 'a'], 1))
  assert.equal((await at.reload()).state, [['a', 1]])
})

test('older news of elections and resignations is ignored', async () => {
  const at = await rig()
  at.writer.lose(0)
  at.runtime.elected(0, 1)
  await at.host.settle()
  const shard = at.shard()
  at.runtime.elected(0, 1)
  at.runtime.elected(0, 0)
  at.runtime.resigned(0, 1)
  at.runtime.resigned(0, 0)
  await at.host.settle()
  assert.is(at.shard(), shard)
  assert.equal(shard.told, ['loaded'])
  at.runtime.resigned(0, 2)
  assert.equal(shard.told, ['loaded', 'unloaded'])
  assert.equal(at.runtime.partitions(), [])
})

test('a deleted partition is unloaded whatever its epoch', async () => {
  const at = await rig()
  at.runtime.resigned(0, undefined)
  assert.equal(at.shard().told, ['loaded', 'unloaded'])
  at.runtime.resigned(0, undefined)
})

test('an election during a load starts it anew, and the older one comes to nothing', async () => {
  const at = new CoordinatorRig<CounterShard, Count>({
    serde: countSerde,
    makeShard: context => new CounterShard(context),
  })
  at.runtime.elected(0, 0)
  const first = at.shard()
  at.writer.lose(0)
  at.runtime.elected(0, 1)
  await at.host.settle()
  assert.is.not(at.shard(), first)
  assert.equal([first.told, at.shard().told], [[], ['loaded']])
  assert.is(await at.write(shard => shard.add(['a'], 1)), 1)
})

test('whoever waits is refused when the leadership is gone', async () => {
  const at = await rig()
  at.writer.holdCommits = true
  const settled: number[] = []
  const waiting = begin(at, shard => shard.add(['a'], 1, { settled: code => void settled.push(code) }))
  await at.host.settle()
  const open = begin(at, shard => shard.add(['a'], 1))
  const read = refused(at.runtime.read(0, 'test', shard => shard.get('a')))
  at.writer.lose(0)
  await at.host.settle()
  const code = `refused ${ErrorCode.NOT_COORDINATOR}`
  assert.equal([waiting.how, open.how, await read, settled], [code, code, 16, [16]])
})

test('what a load found above the high watermark is waited for', async () => {
  const at = await rig()
  at.writer.holdCommits = true
  begin(at, shard => shard.add(['a'], 1))
  await at.host.settle()
  await at.reload()
  const looked = begin(at, shard => ({ records: [], response: shard.get('a') }))
  const added = begin(at, shard => shard.add(['a'], 1))
  await at.host.settle()
  assert.equal([looked.how, added.how], [undefined, undefined])
  at.writer.holdCommits = false
  at.writer.resume()
  await at.host.settle()
  assert.equal([looked.how, added.how], [1, 2])
})

test('markers and transactional records are replayed as such when loading', async () => {
  const at = await rig()
  const transactional = { leaderEpoch: 0, timestamp: 0n, transactional: true, producerId: 7n, producerEpoch: 3 }
  const marker = (type: number) => ({ key: Uint8Array.of(0, 0, 0, type), value: Uint8Array.of(0, 0, 0, 0, 0, 0) })
  const count = countSerde.serialize({ name: 'a', value: 1 })
  at.writer.intrude(0, buildBatch([count], { ...transactional, baseOffset: 0 }))
  at.writer.intrude(0, buildBatch([marker(1)], { ...transactional, baseOffset: 1, control: true }))
  at.writer.intrude(0, buildBatch([marker(0)], { ...transactional, baseOffset: 2, control: true }))
  const shard = await at.reload()
  assert.equal(shard.origins, [{ offset: 0, producerId: 7n, producerEpoch: 3 }])
  assert.equal(shard.told, ['commit of 7/3', 'abort of 7/3', 'loaded'])
})

test('writes and reads of all shards go to each of them, and fail in those that are not loaded', async () => {
  const at = await rig({ partitions: 3 })
  const written = at.runtime.writeAll('test', 1_000, shard => shard.add(['a'], 1 + shard.context.partition))
  await at.host.settle()
  assert.equal(await Promise.all(written), [1, 2, 3])
  at.runtime.elected(1, at.writer.lose(1))
  const read = await Promise.allSettled(at.runtime.readAll('test', shard => shard.get('a')))
  assert.equal(
    read.map(each => (each.status === 'fulfilled' ? each.value : (each.reason as Refusal).code)),
    [1, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, 3],
  )
})

test('new metadata reaches the shards that are loaded', async () => {
  const at = await rig({ partitions: 2 })
  at.runtime.elected(1, at.writer.lose(1))
  const loading = at.shard(1)
  at.runtime.onMetadata(new MetadataDelta(emptyImage), emptyImage)
  assert.equal(at.shard(0).told, ['loaded', 'metadata'])
  assert.equal(loading.told, [])
})

test('an answer that throws harms nobody', async () => {
  const at = await rig()
  const answer = {
    answer: () => {
      throw new TypeError('a mistake')
    },
    refuse: () => assert.unreachable(),
  }
  at.runtime.writeTo(0, 'test', 1_000, shard => shard.add(['a'], 1), answer)
  const next = begin(at, shard => shard.add(['a'], 1))
  await at.host.settle()
  assert.is(next.how, 2)
  at.runtime.writeTo(0, 'test', 1_000, () => ({ records: [], response: 0 }), answer)
})

test('an answer may begin the next operation', async () => {
  const at = await rig()
  const values: number[] = []
  const again = (value: number): void => {
    values.push(value)
    if (value < 4)
      at.runtime.writeTo(0, 'test', 1_000, shard => shard.add(['a'], 1), { answer: again, refuse: () => {} })
  }
  at.runtime.writeTo(0, 'test', 1_000, shard => shard.add(['a'], 1), { answer: again, refuse: () => {} })
  await at.host.settle()
  assert.equal(values, [1, 2, 3, 4])
})

test.run()
