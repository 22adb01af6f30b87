/**
 * What every implementation of `Log` and `LogDirectory` does: the engine on disk, in memory, through a map, and the one
 * that tests of the rooms above use.
 */
import * as assert from 'uvu/assert'
import type {
  Appended,
  AppendOptions,
  Log,
  LogDirectory,
  LogListener,
  ReadOptions,
  ReadResult,
} from '../../src/log/log.ts'
import { Origin, Wake } from '../../src/log/log.ts'
import { LogError, LogErrorCode } from '../../src/log/log-errors.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { batchesOf } from '../../src/records/batch.ts'
import { buildBatch } from '../../src/records/builder.ts'
import { recordsOf } from '../../src/records/iterate.ts'
import { plainConfig } from '../support/plain-config.ts'

/** Opens the place again after it was closed. */
export interface Place {
  open(): Promise<LogDirectory>
  /** The end of the test. */
  leave?(): Promise<void>
}

type Add = (name: string, run: () => Promise<void>) => void

const encoder = new TextEncoder()
const decoder = new TextDecoder()
export const topicId = 'AAAAAAAAAAAAAAAAAAAABA'

export const batchOf = (values: readonly string[], timestamp = 1000n): Uint8Array =>
  buildBatch(
    values.map((value, index) => ({ key: null, value: encoder.encode(value), timestamp: timestamp + BigInt(index) })),
    { baseOffset: 0, leaderEpoch: -1, timestamp },
  )

const options: AppendOptions = { leaderEpoch: 0, origin: Origin.client, wake: Wake.appended }

export const append = (log: Log, batch: Uint8Array, more: Partial<AppendOptions> = {}): Promise<Appended> =>
  new Promise(resolve => log.append(batch, { ...options, ...more }, resolve))

export const read = (log: Log, more: Partial<ReadOptions> = {}): Promise<ReadResult> =>
  new Promise(resolve =>
    log.read({ from: 0, limit: log.endOffset, maxBytes: 1 << 20, atLeastOne: true, toMemory: true, ...more }, resolve),
  )

/** `offset:value` of every record that a read brought; gives the read back. */
export const valuesOf = (log: Log, result: ReadResult): string[] => {
  if (result.handle === 0) return []
  const bytes = new Uint8Array(result.bytes)
  log.copy(result.handle, 0, bytes)
  log.release(result.handle)
  const values: string[] = []
  for (const batch of batchesOf(bytes)) {
    for (const record of recordsOf(batch)) values.push(`${record.offset}:${decoder.decode(record.value ?? undefined)}`)
  }
  return values
}

const failure = async (promise: Promise<unknown>): Promise<LogError> => {
  try {
    await promise
  } catch (error) {
    assert.instance(error, LogError)
    return error as LogError
  }
  throw new Error('it succeeded')
}

/** Adds the contract's tests, each in a place of its own. */
export function logContract(add: Add, makePlace: () => Place): void {
  const inPlace = (
    name: string,
    run: (directory: LogDirectory, reopen: () => Promise<LogDirectory>) => Promise<void>,
  ) =>
    add(name, async () => {
      const place = makePlace()
      let directory = await place.open()
      try {
        await run(directory, async () => {
          await directory.close({ clean: true, brokerEpoch: 7 })
          directory = await place.open()
          return directory
        })
        await directory.close({ clean: true, brokerEpoch: -1 })
      } finally {
        await place.leave?.()
      }
    })
  const open = (directory: LogDirectory, name = 't-0') => directory.open(name, { config: plainConfig, topicId })

  inPlace('a new log is empty and says that it was created', async directory => {
    const log = await open(directory)
    assert.is(log.opened.created, true)
    assert.equal([log.startOffset, log.endOffset, log.syncedEnd], [0, 0, 0])
    assert.is(log.opened.latestEpoch, -1)
    await log.close(true)
  })

  inPlace('appends get consecutive offsets in call order and read back as they are', async directory => {
    const log = await open(directory)
    const results = await Promise.all([
      append(log, batchOf(['a', 'b'])),
      append(log, batchOf(['c'])),
      append(log, batchOf(['d'])),
    ])
    assert.equal(
      results.map(result => [result.code, result.base, result.end]),
      [
        [0, 0, 2],
        [0, 2, 3],
        [0, 3, 4],
      ],
    )
    assert.is(log.endOffset, 4)
    assert.equal(valuesOf(log, await read(log)), ['0:a', '1:b', '2:c', '3:d'])
    await log.close(true)
  })

  inPlace('the byte counter says how much lies between two offsets', async directory => {
    const log = await open(directory)
    const batch = batchOf(['a'])
    const first = await append(log, batch)
    const second = await append(log, batch)
    assert.is(second.bytesEnd - first.bytesEnd, batch.length)
    const result = await read(log, { from: 1 })
    assert.is(result.bytesStart, first.bytesEnd)
    assert.is(result.bytes, batch.length)
    log.release(result.handle)
    await log.close(true)
  })

  inPlace('a read stops at its limit and at its bytes, but gives one batch if asked', async directory => {
    const log = await open(directory)
    for (const value of ['a', 'b', 'c']) await append(log, batchOf([value]))
    const one = batchOf(['a']).length
    assert.equal(valuesOf(log, await read(log, { limit: 2 })), ['0:a', '1:b'])
    assert.equal(valuesOf(log, await read(log, { from: 1, limit: 1 })), [])
    assert.equal(valuesOf(log, await read(log, { maxBytes: 2 * one })), ['0:a', '1:b'])
    assert.equal(valuesOf(log, await read(log, { maxBytes: 1 })), ['0:a'])
    assert.equal(valuesOf(log, await read(log, { maxBytes: 1, atLeastOne: false })), [])
    await log.close(true)
  })

  inPlace('only an offset beyond the end is out of range; the end itself is empty', async directory => {
    const log = await open(directory)
    await append(log, batchOf(['a']))
    assert.equal((await read(log, { from: 1, limit: 1 })).code, 0)
    assert.is((await read(log, { from: 2, limit: 2 })).code, ErrorCode.OFFSET_OUT_OF_RANGE)
    await log.close(true)
  })

  inPlace('an append is told before the news of it, and the sync after both', async directory => {
    const log = await open(directory)
    const order: string[] = []
    const synced = new Promise<void>(resolve => {
      const listener: LogListener = {
        onAppended: end => void order.push(`appended ${end}`),
        onSynced: end => {
          order.push(`synced ${end}`)
          resolve()
        },
        onFailed: () => {},
      }
      log.setListener(listener)
    })
    log.append(batchOf(['a']), { ...options, wake: Wake.synced }, result => void order.push(`done ${result.end}`))
    assert.equal(order, [])
    await synced
    assert.equal(order, ['done 1', 'appended 1', 'synced 1'])
    assert.is(log.syncedEnd, 1)
    await log.close(true)
  })

  inPlace('a sync resolves when everything before it is on disk', async directory => {
    const log = await open(directory)
    const appended = append(log, batchOf(['a', 'b']))
    await log.sync()
    assert.is((await appended).end, 2)
    assert.is(log.syncedEnd, 2)
    await log.close(true)
  })

  inPlace('a wrong prediction and an old epoch are refused, and the log goes on', async directory => {
    const log = await open(directory)
    await append(log, batchOf(['a']), { leaderEpoch: 5 })
    assert.is(
      (await append(log, batchOf(['b']), { leaderEpoch: 5, expectedBase: 7 })).code,
      LogErrorCode.OFFSET_MISMATCH,
    )
    assert.is((await append(log, batchOf(['b']), { leaderEpoch: 4 })).code, LogErrorCode.EPOCH_FENCED)
    assert.is((await append(log, batchOf(['b']), { leaderEpoch: 5, expectedBase: 1 })).code, 0)
    assert.is(log.endOffset, 2)
    await log.close(true)
  })

  inPlace('records are found by time, and the one with the largest', async directory => {
    const log = await open(directory)
    await append(log, batchOf(['a', 'b'], 100n))
    await append(log, batchOf(['c'], 500n))
    await append(log, batchOf(['d'], 300n))
    const found = async (timestamp: bigint, limit = 4) => (await log.lookupTime(timestamp, limit)).offset
    assert.equal([await found(0n), await found(101n), await found(102n), await found(501n)], [0, 1, 2, -1])
    assert.is(await found(102n, 2), -1)
    const max = await log.lookupMaxTime(4)
    assert.equal([max.offset, max.timestamp], [2, 500n])
    await log.close(true)
  })

  inPlace('the end of an epoch is where the next one begins', async directory => {
    const log = await open(directory)
    await append(log, batchOf(['a', 'b']), { leaderEpoch: 1 })
    await append(log, batchOf(['c']), { leaderEpoch: 4 })
    const end = async (epoch: number) => {
      const found = await log.lookupEpochEnd(epoch)
      return [found.leaderEpoch, found.offset]
    }
    assert.equal(await end(1), [1, 2])
    assert.equal(await end(2), [1, 2])
    assert.equal(await end(4), [4, 3])
    await log.close(true)
  })

  inPlace('a truncated log ends there and takes appends again', async directory => {
    const log = await open(directory)
    for (const value of ['a', 'b', 'c']) await append(log, batchOf([value]))
    const marks = await log.truncate(1)
    assert.equal([marks.startOffset, marks.endOffset, marks.syncedEnd <= 1], [0, 1, true])
    assert.is((await append(log, batchOf(['x']))).base, 1)
    assert.equal(valuesOf(log, await read(log)), ['0:a', '1:x'])
    await log.close(true)
  })

  inPlace('what was closed is there again', async (directory, reopen) => {
    const log = await open(directory)
    await append(log, batchOf(['a', 'b']), { leaderEpoch: 3 })
    await log.close(true)
    const later = await reopen()
    assert.is(later.clean, true)
    assert.is(later.cleanBrokerEpoch, 7)
    assert.equal(await later.partitionFolders(), ['t-0'])
    const again = await open(later)
    assert.equal([again.opened.created, again.endOffset, again.syncedEnd], [false, 2, 2])
    assert.is(again.opened.latestEpoch, 3)
    assert.equal(valuesOf(again, await read(again)), ['0:a', '1:b'])
    await again.close(true)
  })

  inPlace('a log of another topic id is not opened, nor one that must exist and does not', async directory => {
    await (await open(directory)).close(true)
    const other = directory.open('t-0', { config: plainConfig, topicId: 'AAAAAAAAAAAAAAAAAAAABQ' })
    assert.is((await failure(other)).code, ErrorCode.INCONSISTENT_TOPIC_ID)
    const missing = directory.open('u-0', { config: plainConfig, topicId, mustExist: true })
    assert.is((await failure(missing)).code, LogErrorCode.NOT_FOUND)
  })

  inPlace('a deleted log is gone and its name is free', async directory => {
    const log = await open(directory)
    await append(log, batchOf(['a']))
    await log.delete()
    const again = await open(directory)
    assert.equal([again.opened.created, again.endOffset], [true, 0])
    await again.close(true)
  })

  inPlace('a folder that is set aside is no log any more, and its name is free', async (directory, reopen) => {
    const log = await open(directory)
    await append(log, batchOf(['a']))
    await log.close(true)
    assert.is((await failure(directory.setAside('t-0', 'u-1'))).code, LogErrorCode.BAD_NAME)
    assert.is((await failure(directory.setAside('v-0', 'v-0.aside'))).code, LogErrorCode.NOT_FOUND)
    await directory.setAside('t-0', 't-0.0123456789abcdef0123456789abcdef-stray')
    const later = await reopen()
    assert.equal(await later.partitionFolders(), [])
    const again = await open(later)
    assert.is(again.opened.created, true)
    await again.close(true)
  })

  inPlace('files are written whole, read back, listed and removed', async directory => {
    assert.is(await directory.readFile('meta.properties'), undefined)
    await directory.writeFile('meta.properties', encoder.encode('a=1\n'))
    await directory.writeFile('meta.properties', encoder.encode('a=2\n'))
    assert.is(decoder.decode(await directory.readFile('meta.properties')), 'a=2\n')
    assert.ok((await directory.listFiles('')).includes('meta.properties'))
    await directory.removeFile('meta.properties')
    assert.is(await directory.readFile('meta.properties'), undefined)
  })

  inPlace('a file in a log folder is listed there', async directory => {
    const log = await open(directory)
    await directory.writeFile('t-0/00000000000000000000-0000000000.checkpoint', encoder.encode('x'))
    assert.ok((await directory.listFiles('t-0')).includes('00000000000000000000-0000000000.checkpoint'))
    await log.close(true)
  })
}
