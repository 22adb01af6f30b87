import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Log, openLog } from '../../src/index.ts'
import { temporaryFolder } from '../support/temporary.ts'

const test = suite('open log housekeeping')
export const timeoutMs = 60_000

const decoder = new TextDecoder()
const text = (bytes: Uint8Array | null) => (bytes === null ? null : decoder.decode(bytes))
const folder = () => `${temporaryFolder('housekeeping')}/audit-0`

const compacted = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': 0.01,
  'internal.segment.bytes': 8000,
  'file.delete.delay.ms': 0,
}

async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise(resolve => setTimeout(resolve, 5))
}

/** The newest value of each key. */
const newest = (log: Log) => new Map(Array.from(log, record => [text(record.key), text(record.value)]))

test('a compacted log loses what newer records of the same key replace, while it is appended to and read', async () => {
  const dir = folder()
  const first = await openLog({ dir, config: compacted })
  for (let index = 0; index < 2000; index++) first.append(`value ${index}`, { key: `key ${index % 20}` })
  await first.close()
  const log = await openLog({ dir, config: compacted })
  const before = log.sizeBytes
  const cursor = log.cursor()
  let [next, seen] = [2000, -1]
  await until(() => {
    log.append(`value ${next}`, { key: `key ${next % 20}` })
    next++
    if (cursor.next()) {
      assert.ok(cursor.offset > seen)
      seen = cursor.offset
    }
    return log.sizeBytes < before / 2
  })
  while (cursor.next()) {
    assert.ok(cursor.offset > seen)
    seen = cursor.offset
  }
  assert.is(seen, next - 1)
  assert.is(log.endOffset, next)
  const expected = new Map(
    Array.from({ length: 20 }, (_, back) => {
      const index = next - 20 + back
      return [`key ${index % 20}`, `value ${index}`]
    }),
  )
  const found = newest(log)
  for (const [key, value] of expected) assert.is(found.get(key), value)
  assert.is(found.size, 20)
  await log.close()
  const again = await openLog({ dir, config: compacted })
  assert.equal([...newest(again)].sort(), [...found].sort())
  await again.close()
})

test('a log that is closed in the midst of a pass is there again', async () => {
  const dir = folder()
  const first = await openLog({ dir, config: compacted })
  for (let index = 0; index < 3000; index++) first.append(`value ${index}`, { key: `key ${index % 50}` })
  await first.close()
  for (let round = 0; round < 10; round++) {
    const log = await openLog({ dir, config: compacted })
    for (let turn = 0; turn < round; turn++) await new Promise(resolve => setImmediate(resolve))
    await log.close()
  }
  const log = await openLog({ dir, config: compacted })
  const found = newest(log)
  assert.is(found.size, 50)
  for (let index = 2950; index < 3000; index++) assert.is(found.get(`key ${index % 50}`), `value ${index}`)
  await log.close()
})

test('a compacted log says where it is damaged when compaction can go no further, and is served as far as it goes', async () => {
  const dir = folder()
  const first = await openLog({ dir, config: { ...compacted, 'min.cleanable.dirty.ratio': 1 } })
  for (let index = 0; index < 2000; index++) first.append(`value ${index}`, { key: `key ${index % 20}` })
  await first.close()
  const file = join(dir, '00000000000000000000.log')
  const bytes = readFileSync(file)
  bytes[bytes.length >> 1] = bytes[bytes.length >> 1]! ^ 4
  writeFileSync(file, bytes)
  const heard: { fields: object; text: string }[] = []
  const quiet = () => {}
  const error = (fields: object | string, text = '') => heard.push({ fields: fields as object, text })
  const log = await openLog({ dir, config: compacted, logger: { debug: quiet, info: quiet, warn: quiet, error } })
  await until(() => heard.length > 0)
  assert.equal(heard[0]?.fields, { dir })
  assert.match(heard[0]?.text ?? '', /is not compacted any further until it is opened anew: .*0{20}\.log .*byte \d+/)
  assert.is(text(log.read(0)?.value ?? null), 'value 0')
  assert.is(log.append('more', { key: 'key 0' }), 2000)
  await log.close()
  assert.is(heard.length, 1)
})

test('a record without a key is a TypeError in a compacted log', async () => {
  const log = await openLog({ dir: folder(), config: compacted })
  for (const call of [() => log.append('x'), () => log.appendMany(['x', 'y'])])
    assert.throws(call, (error: Error) => error instanceof TypeError && /has no key/.test(error.message))
  assert.is(log.append('x', { key: 'k' }), 0)
  await log.close()
})

test('retention.ms lets go of segments that are too old when the log is opened', async () => {
  const dir = folder()
  const config = { 'internal.segment.bytes': 8000, 'retention.ms': 3_600_000, 'file.delete.delay.ms': 0 }
  const log = await openLog({ dir, config: { ...config, 'retention.ms': -1 } })
  const now = Date.now()
  for (let index = 0; index < 500; index++)
    log.append('x'.repeat(100), { timestamp: index < 300 ? now - 86_400_000 : now })
  await log.close()
  const again = await openLog({ dir, config })
  assert.ok(again.startOffset > 200 && again.startOffset <= 300, `${again.startOffset}`)
  assert.is([...again][0]?.offset, again.startOffset)
  await again.close()
})

test('settings that contradict each other are refused', async () => {
  const config = { 'min.compaction.lag.ms': 10, 'max.compaction.lag.ms': 5 }
  const failure = await openLog({ dir: folder(), config }).catch((error: unknown) => error)
  assert.match((failure as Error).message, /min\.compaction\.lag\.ms \(10\) must not be above/)
})

test.run()
