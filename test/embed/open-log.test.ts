import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ClosedError, ConfigError, type Log, openLog, StorageError, startBroker } from '../../src/index.ts'
import { temporaryFolder } from '../support/temporary.ts'

const test = suite('open log')

const decoder = new TextDecoder()
const text = (value: Uint8Array | null | undefined) => (value ? decoder.decode(value) : value)
const folder = () => `${temporaryFolder('open-log')}/audit-0`

function thrown(act: () => unknown): Error | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    return error as Error
  }
}

async function using(dir: string, run: (log: Log) => unknown) {
  const log = await openLog({ dir })
  try {
    await run(log)
  } finally {
    await log.close()
  }
}

test('an append returns its offset at once and can be read', () =>
  using(folder(), log => {
    assert.equal([log.startOffset, log.endOffset], [0, 0])
    assert.is(log.append('a'), 0)
    assert.is(log.append(new TextEncoder().encode('b'), { key: 'k', timestamp: 1234, headers: { h: 'x', n: null } }), 1)
    assert.is(log.append(null), 2)
    assert.is(log.endOffset, 3)
    assert.is(text(log.read(0)!.value), 'a')
    const record = log.read(1)!
    assert.equal([record.offset, record.timestamp, text(record.key), text(record.value)], [1, 1234, 'k', 'b'])
    assert.equal(
      [record.headers.get('h'), record.headers.bytes('n'), record.headers.get('none')],
      ['x', null, undefined],
    )
    assert.is(log.read(2)!.value, null)
    assert.is(log.read(3), undefined)
    assert.is(log.read(-1), undefined)
  }))

test('what is neither text nor bytes is refused by name, and nothing is written', () =>
  using(folder(), async log => {
    const wrong = (value: unknown) => value as string
    for (const value of [5, undefined, { a: 1 }, new ArrayBuffer(4), new Float64Array(2)])
      assert.throws(() => log.append(wrong(value)), /a string, a Uint8Array or null, not (number|undefined|Object|A|F)/)
    assert.throws(() => log.append('a', { key: wrong(5) }), /not number/)
    assert.throws(() => log.append('a', { headers: { h: wrong(5) } }), /not number/)
    assert.throws(() => log.append('a', { timestamp: Number.NaN }), /timestamp must be a Date or milliseconds, not NaN/)
    assert.is(log.endOffset, 0)
    const from = wrong('ealiest') as 'earliest'
    const failure = log.records({ from }).next()
    const message = await failure.then(String, String)
    assert.match(message, /from must be .*, not ealiest/)
  }))

test('options that are missing, mistyped or no path are refused by name', async () => {
  const open = (options?: unknown) =>
    openLog(options as { dir: string }).then(
      () => 'it opened',
      (error: unknown) => `${error instanceof ConfigError} ${(error as Error).message}`,
    )
  assert.match(await open(), /true openLog takes an object with dir, readOnly, config/)
  assert.match(await open('./logs/a-0'), /true openLog takes an object/)
  assert.match(await open({}), /true dir must be a path, as text, not undefined/)
  assert.match(await open({ dir: folder(), confg: {} }), /true openLog has no option confg; the nearest is config/)
})

test('headers keep their order, and a name may come twice', () =>
  using(folder(), log => {
    log.append('a', {
      headers: [
        ['x', '1'],
        ['y', '2'],
        ['x', '3'],
      ],
    })
    const { headers } = log.read(0)!
    assert.equal(
      [...headers].map(([name, value]) => `${name}=${text(value)}`),
      ['x=1', 'y=2', 'x=3'],
    )
    assert.equal([headers.get('x'), headers.getAll('x')], ['3', ['1', '3']])
  }))

test('a durable append resolves when it is on disk, and many share the way there', () =>
  using(folder(), async log => {
    const offsets = await Promise.all(Array.from({ length: 100 }, (_, index) => log.appendDurable(`${index}`)))
    assert.equal(
      offsets,
      Array.from({ length: 100 }, (_, index) => index),
    )
    assert.is(log.flushedOffset, 100)
  }))

test('flush and flushSync bring everything to disk', () =>
  using(folder(), async log => {
    log.append('a')
    await log.flush()
    assert.is(log.flushedOffset, 1)
    log.append('b')
    log.flushSync()
  }))

test('what was appended is there after a restart', async () => {
  const dir = folder()
  await using(dir, log => {
    for (let index = 0; index < 1000; index++) log.append(`${index}`)
  })
  await using(dir, log => {
    assert.is(log.endOffset, 1000)
    assert.equal(
      [...log].map(record => text(record.value)),
      Array.from({ length: 1000 }, (_, index) => `${index}`),
    )
    assert.is(log.append('more'), 1000)
  })
})

test('an iteration reads beyond one step and past what is appended meanwhile', () =>
  using(folder(), log => {
    const big = 'x'.repeat(400_000)
    for (let index = 0; index < 5; index++) log.append(big)
    let count = 0
    for (const record of log) {
      assert.is(record.offset, count++)
      if (count === 3) log.append('late')
    }
    assert.is(count, 6)
  }))

test('records begin where they are asked to', () =>
  using(folder(), async log => {
    for (const timestamp of [100, 200, 300]) log.append(`${timestamp}`, { timestamp })
    const from = async (spec: NonNullable<Parameters<Log['records']>[0]>['from']) => {
      const values: unknown[] = []
      for await (const record of log.records(spec === undefined ? {} : { from: spec })) values.push(text(record.value))
      return values
    }
    assert.equal(await from(undefined), ['100', '200', '300'])
    assert.equal(await from(1), ['200', '300'])
    assert.equal(await from(new Date(201)), ['300'])
    assert.equal(await from(new Date(301)), [])
    assert.equal(await from('latest'), [])
  }))

test('a follower gets what is appended later, until the log is closed', async () => {
  const log = await openLog({ dir: folder() })
  const values: unknown[] = []
  let seen: () => void = () => {}
  const following = (async () => {
    for await (const record of log.records({ follow: true })) {
      values.push(text(record.value))
      seen()
    }
  })()
  const next = () => new Promise<void>(resolve => (seen = resolve))
  for (const value of ['a', 'b']) {
    const arrived = next()
    log.append(value)
    await arrived
  }
  await log.close()
  await following
  assert.equal(values, ['a', 'b'])
})

test('arrays that were read are copies', () =>
  using(folder(), log => {
    log.append('abc')
    log.read(0)!.value![0] = 0
    assert.is(text(log.read(0)!.value), 'abc')
  }))

test('a value above max.message.bytes is a RangeError', async () => {
  const log = await openLog({ dir: folder(), config: { 'max.message.bytes': 1000 } })
  try {
    assert.throws(
      () => log.append('x'.repeat(2000)),
      (error: Error) => error instanceof RangeError,
    )
    assert.is(log.append('x'), 0)
  } finally {
    await log.close()
  }
})

test('two logs of one folder share it, and nobody else gets in', async () => {
  const parent = temporaryFolder('open-log')
  const one = await openLog({ dir: `${parent}/a-0` })
  const two = await openLog({ dir: `${parent}/b-0/` })
  one.append('one')
  two.append('two')
  try {
    await startBroker({ dir: parent, logger: false })
    assert.unreachable()
  } catch (error) {
    assert.instance(error, StorageError)
    assert.is((error as StorageError).code, 'ERR_LOCKED')
  }
  await one.close()
  two.append('still')
  await two.close()
  await (await openLog({ dir: `${parent}/a-0` })).close()
})

test('a folder of such logs is not made a broker’s', async () => {
  const parent = temporaryFolder('open-log')
  await (await openLog({ dir: `${parent}/a-0` })).close()
  try {
    await startBroker({ dir: parent, logger: false })
    assert.unreachable()
  } catch (error) {
    assert.match((error as Error).message, 'holds partitions (a-0) but no meta.properties')
  }
  await (await openLog({ dir: `${parent}/a-0` })).close()
})

test('a folder name that is no partition and a wrong setting are refused by name', async () => {
  for (const [options, key] of [
    [{ dir: `${temporaryFolder('open-log')}/audit` }, 'dir'],
    [{ dir: folder(), config: { 'retention.mss': 1 } }, 'retention.mss'],
    [{ dir: folder(), config: { 'segment.bytes': 'many' } }, 'segment.bytes'],
  ] as const) {
    try {
      await openLog(options)
      assert.unreachable()
    } catch (error) {
      assert.instance(error, ConfigError)
      assert.equal([(error as ConfigError).code, (error as ConfigError).key], ['ERR_CONFIG', key])
    }
  }
})

test('a folder that can not be there is a StorageError', async () => {
  const parent = temporaryFolder('open-log')
  await using(`${parent}/a-0`, log => log.append('x'))
  try {
    await openLog({ dir: `${parent}/a-0/00000000000000000000.log/b-0` })
    assert.unreachable()
  } catch (error) {
    assert.instance(error, StorageError)
  }
})

test('a closed log says so, and closing twice is fine', async () => {
  const log = await openLog({ dir: folder() })
  const closing = log.close()
  assert.is(log.close(), closing)
  assert.throws(
    () => log.append('a'),
    (error: Error) => error instanceof ClosedError,
  )
  await closing
  assert.throws(
    () => log.read(0),
    (error: Error) => error instanceof ClosedError,
  )
})

test('many values at once and packed ones follow one another', () =>
  using(folder(), log => {
    assert.is(log.appendMany(['a', new Uint8Array([98]), '']), 0)
    assert.is(log.appendMany(['c', null]), 3)
    assert.is(log.appendMany([]), 5)
    const packed = new TextEncoder().encode('onetwothree')
    assert.is(log.appendPacked(packed, Uint32Array.of(3, 6, 6, 11)), 5)
    assert.is(log.endOffset, 9)
    const values = [...log].map(record => text(record.value))
    assert.equal(values, ['a', 'b', '', 'c', null, 'one', 'two', '', 'three'])
    assert.throws(() => log.appendPacked(packed, Uint32Array.of(3, 2)), /ends must ascend/)
    assert.throws(() => log.appendPacked(packed, Uint32Array.of(3, 12)), /ends must ascend/)
    assert.throws(() => log.appendPacked(packed, [1] as unknown as Uint32Array), /ends must be a Uint32Array/)
    const large = new Uint8Array(2 << 20)
    assert.throws(
      () => log.appendMany(['small', large]),
      (error: Error) => error instanceof RangeError,
    )
    assert.is(log.endOffset, 9)
    const many = Array.from({ length: 20_000 }, (_, index) => `value ${index}`)
    assert.is(log.appendMany(many), 9)
    assert.is(text(log.read(9 + 12_345)?.value), 'value 12345')
  }))

test('a cursor steps through the log and goes on when more is appended', () =>
  using(folder(), log => {
    for (let index = 0; index < 500; index++)
      log.append('x'.repeat(index * 20), { key: `k${index}`, timestamp: 1000 + index })
    const cursor = log.cursor({ from: 100 })
    let offset = 100
    while (cursor.next()) {
      assert.equal([cursor.offset, cursor.timestamp, text(cursor.key)], [offset, 1000 + offset, `k${offset}`])
      assert.is(cursor.value?.length, offset * 20)
      offset++
    }
    assert.is(offset, 500)
    assert.is(cursor.next(), false)
    log.append('more', { headers: { h: 'v' } })
    assert.is(cursor.next(), true)
    assert.equal([cursor.offset, text(cursor.value), cursor.headers.get('h')], [500, 'more', 'v'])
    assert.is(log.cursor({ from: 'latest' }).next(), false)
    assert.is(log.cursor({ from: 999 }).next(), false)
    const late = log.cursor({ from: new Date(1300) })
    late.next()
    assert.is(late.offset, 300)
  }))

test('a moment finds the first record at or after it', () =>
  using(folder(), log => {
    for (const timestamp of [100, 200, 300]) log.append('x', { timestamp })
    assert.equal(
      [log.offsetFor(0), log.offsetFor(new Date(101)), log.offsetFor(300), log.offsetFor(301)],
      [0, 1, 2, undefined],
    )
    assert.throws(() => log.offsetFor(Number.NaN), /time must be/)
  }))

for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
  test(`records that ${codec} compressed are read like any others`, async () => {
    const log = await openLog({ dir: folder(), config: { 'compression.type': codec } })
    const values = Array.from({ length: 50 }, (_, index) => `${index}`.repeat(100))
    for (const value of values) log.append(value)
    log.appendMany(['a', 'b'])
    assert.ok(log.sizeBytes < 50 * 180, `${log.sizeBytes}`)
    assert.equal(
      [...log].map(record => text(record.value)),
      [...values, 'a', 'b'],
    )
    assert.is(text(log.read(51)?.value), 'b')
    const later: unknown[] = []
    for await (const record of log.records({ from: 49 })) later.push(text(record.value))
    assert.equal(later, [values[49], 'a', 'b'])
    await log.close()
  })
}

test('a trim lets go of records, for good', async () => {
  const dir = folder()
  await using(dir, async log => {
    for (let index = 0; index < 10; index++) log.append(`${index}`)
    await log.trim(4)
    assert.is(log.startOffset, 4)
    assert.is(log.read(3), undefined)
    assert.equal(
      [...log].map(record => record.offset),
      [4, 5, 6, 7, 8, 9],
    )
    for (const wrong of [-1, 11, 1.5, Number.NaN]) {
      const failure = await log.trim(wrong).then(String, String)
      assert.match(failure, /RangeError: before must be an offset up to 10/)
    }
  })
  await using(dir, log => assert.equal([log.startOffset, log.endOffset], [4, 10]))
})

test('retention.bytes lets go of the oldest segments as the log grows', async () => {
  const log = await openLog({
    dir: folder(),
    config: { 'segment.bytes': 1 << 20, 'retention.bytes': 3 << 20, 'file.delete.delay.ms': 0 },
  })
  const value = new Uint8Array(10_000)
  for (let index = 0; index < 1000; index++) log.append(value)
  assert.ok(log.startOffset > 500, `${log.startOffset}`)
  assert.ok(log.sizeBytes < 5 << 20, `${log.sizeBytes}`)
  assert.is([...log][0]!.offset, log.startOffset)
  await log.close()
})

test('a stream gives the records, and can be cancelled while it waits for more', () =>
  using(folder(), async log => {
    log.appendMany(['a', 'b'])
    const values: unknown[] = []
    const whole = log.readable().getReader()
    for (let step = await whole.read(); !step.done; step = await whole.read()) values.push(text(step.value.value))
    assert.equal(values, ['a', 'b'])
    const reader = log.readable({ from: 'latest', follow: true }).getReader()
    const next = reader.read()
    log.append('c')
    assert.is(text((await next).value?.value), 'c')
    await reader.cancel()
  }))

test('waiting can be given up', () =>
  using(folder(), async log => {
    const stop = new AbortController()
    const following = log.records({ follow: true, signal: stop.signal }).next()
    stop.abort(new Error('enough'))
    assert.is(await following.then(String, String), 'Error: enough')
    const late = log.records({ follow: true, timeoutMs: 5 }).next()
    assert.match(await late.then(String, String), /took longer than 5 ms/)
    assert.is(await log.appendDurable('a', { signal: stop.signal }).then(String, String), 'Error: enough')
    assert.is(log.endOffset, 0)
    assert.is(await log.appendDurable('a', { timeoutMs: 10_000, key: 'k' }), 0)
    await log.flush({ timeoutMs: 10_000 })
  }))

test('texts of every length and alphabet come back as they were', () =>
  using(folder(), log => {
    const texts = ['', 'é', '€uro', '😀'.repeat(9000), 'x'.repeat(16_384), 'y'.repeat(16_385), '\ud800']
    for (const value of texts) log.append(value)
    assert.equal(
      [...log].map(record => text(record.value)),
      texts.map(value => decoder.decode(new TextEncoder().encode(value))),
    )
  }))

test('a folder of a higher leader epoch goes on in that epoch', async () => {
  const parent = temporaryFolder('open-log')
  const dir = `${parent}/audit-0`
  await using(dir, log => log.append('old'))
  const file = `${dir}/leader-epoch-checkpoint`
  writeFileSync(file, '0\n2\n0 0\n7 1\n')
  await using(dir, log => {
    assert.is(log.append('new'), 1)
    assert.equal(
      [...log].map(record => text(record.value)),
      ['old', 'new'],
    )
  })
  assert.ok(existsSync(file))
})

test('a bit that flipped while the log was closed fails whoever reads its record, by file and byte', async () => {
  const dir = folder()
  await using(dir, async log => {
    for (const value of ['a', 'b', 'c']) await log.appendDurable(value)
  })
  const file = `${dir}/00000000000000000000.log`
  const bytes = readFileSync(file)
  const at = bytes.length / 3
  bytes[at + 66]! ^= 1
  writeFileSync(file, bytes)
  await using(dir, async log => {
    const found: unknown[] = []
    const iterate = async () => {
      for await (const record of log.records()) found.push(text(record.value))
    }
    const failures = [
      await iterate().then(
        () => undefined,
        error => error,
      ),
      thrown(() => [...log]),
      thrown(() => log.read(1)),
    ]
    for (const failure of failures) {
      assert.instance(failure, StorageError)
      assert.ok(failure.message.startsWith(`${file} is damaged at byte ${at}: `), failure.message)
    }
    assert.equal(found, ['a'])
    assert.is(text(log.read(0)!.value), 'a')
    assert.is(log.append('d'), 3)
  })
})

test.run()
