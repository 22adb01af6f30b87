/** What every `PartitionWriter` does: the one over the engine, and the one of the coordinators' other tests. */
import type * as uvu from 'uvu'
import * as assert from 'uvu/assert'
import type { PartitionWriter, TenureListener } from '../../src/coordinator/ports.ts'
import { Refusal } from '../../src/coordinator/shard.ts'
import { LogErrorCode } from '../../src/log/log-errors.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { BatchView, batchesOf } from '../../src/records/batch.ts'
import { buildBatch } from '../../src/records/builder.ts'
import { recordsOf } from '../../src/records/iterate.ts'

export interface WriterPlace {
  readonly writer: PartitionWriter
  /** Of partition 0 of the topic, which has two. */
  readonly leaderEpoch: () => number
  /** The same broker leads partition 0 in another epoch. */
  lose(): Promise<void>
  /** Lets everything happen that is under way. */
  settle(): Promise<void>
  leave(): Promise<void>
}

export const batchAt = (baseOffset: number, ...names: string[]): Uint8Array =>
  buildBatch(
    names.map(name => ({ key: new TextEncoder().encode(name), value: null })),
    { baseOffset, leaderEpoch: 0, timestamp: 1n },
  )

class Heard implements TenureListener {
  readonly news: string[] = []
  onAppended(ticket: number, end: number) {
    this.news.push(`${ticket} to ${end}`)
  }
  onFailed(ticket: number, code: number) {
    this.news.push(`${ticket} failed ${code}`)
  }
  onHighWatermark(offset: number) {
    this.news.push(`high ${offset}`)
  }
  onLost() {
    this.news.push('lost')
  }
  /** News about appends alone. */
  get appends() {
    return this.news.filter(news => !news.startsWith('high'))
  }
}

export function partitionWriterContract(test: uvu.Test, open: () => Promise<WriterPlace>): void {
  const at = (name: string, body: (place: WriterPlace, heard: Heard) => Promise<void>) => {
    test(name, async () => {
      const place = await open()
      const heard = new Heard()
      try {
        place.writer.listen(0, place.leaderEpoch(), heard)
        await body(place, heard)
      } finally {
        await place.leave()
      }
    })
  }

  const loaded = async ({ writer, leaderEpoch }: WriterPlace) => {
    const names: string[] = []
    const end = await writer.load(0, leaderEpoch(), bytes => {
      for (const batch of batchesOf(bytes))
        for (const { offset, key } of recordsOf(batch))
          names.push(`${offset} ${new TextDecoder().decode(key ?? undefined)}`)
    })
    return { end, names }
  }

  at('the news of appends comes after the call, in order, and the high watermark follows', async (place, heard) => {
    const { writer } = place
    const first = writer.append(0, place.leaderEpoch(), batchAt(0, 'a', 'b'), 0)
    const second = writer.append(0, place.leaderEpoch(), batchAt(2, 'c'), 2)
    assert.equal(heard.news, [])
    assert.ok(second > first)
    await place.settle()
    assert.equal(heard.appends, [`${first} to 2`, `${second} to 3`])
    assert.ok(heard.news.includes('high 3'))
    assert.equal(writer.marks(0), { logStart: 0, end: 3, highWatermark: 3 })
    assert.equal(writer.marks(1), { logStart: 0, end: 0, highWatermark: 0 })
  })

  at('an append that expects another end is refused, and so is what expected it', async (place, heard) => {
    const { writer } = place
    const epoch = place.leaderEpoch()
    const wrong = writer.append(0, epoch, batchAt(5, 'a'), 5)
    const behind = writer.append(0, epoch, batchAt(6, 'b'), 6)
    const right = writer.append(0, epoch, batchAt(0, 'c'), 0)
    await place.settle()
    const mismatch = LogErrorCode.OFFSET_MISMATCH
    assert.equal(heard.appends, [`${wrong} failed ${mismatch}`, `${behind} failed ${mismatch}`, `${right} to 1`])
    assert.equal(await loaded(place), { end: 1, names: ['0 c'] })
  })

  at('a load brings whole batches in order and ends where the log does', async place => {
    const { writer } = place
    assert.equal(await loaded(place), { end: 0, names: [] })
    const names = Array.from({ length: 300 }, (_, index) => `${index} ${'x'.repeat(index)}`)
    names.forEach((name, index) => {
      writer.append(0, place.leaderEpoch(), batchAt(index, name.slice(name.indexOf(' ') + 1)), index)
    })
    await place.settle()
    assert.equal(await loaded(place), { end: 300, names })
  })

  at('a load waits for each part to be taken, and ends with what that throws', async place => {
    const { writer } = place
    writer.append(0, place.leaderEpoch(), batchAt(0, 'a'), 0)
    await place.settle()
    let took = false
    await writer.load(0, place.leaderEpoch(), async bytes => {
      assert.is(BatchView.at(bytes, 0)?.count, 1)
      await new Promise(resolve => setTimeout(resolve, 5))
      took = true
    })
    assert.ok(took)
    const failing = writer.load(0, place.leaderEpoch(), () => {
      throw new TypeError('enough')
    })
    assert.is(await failing.catch((error: Error) => error.message), 'enough')
  })

  at('whoever stopped listening hears nothing', async (place, first) => {
    const { writer } = place
    const second = new Heard()
    const stop = writer.listen(0, place.leaderEpoch(), second)
    const ticket = writer.append(0, place.leaderEpoch(), batchAt(0, 'a'), 0)
    await place.settle()
    assert.equal(second.appends, [`${ticket} to 1`])
    stop()
    writer.append(0, place.leaderEpoch(), batchAt(1, 'a'), 1)
    await place.settle()
    assert.equal([first.news, second.appends], [[], [`${ticket} to 1`]])
  })

  at('the end of a leadership is told once, and nothing after it', async (place, heard) => {
    const { writer } = place
    const before = place.leaderEpoch()
    await place.lose()
    assert.ok(place.leaderEpoch() > before)
    writer.append(0, before, batchAt(0, 'a'), 0)
    await place.settle()
    await place.lose()
    assert.equal(heard.news, ['lost'])
    const again = new Heard()
    writer.listen(0, place.leaderEpoch(), again)
    const { end } = writer.marks(0)
    const ticket = writer.append(0, place.leaderEpoch(), batchAt(end, 'b'), end)
    await place.settle()
    assert.equal(again.appends, [`${ticket} to ${end + 1}`])
    assert.equal(heard.news, ['lost'])
  })

  at('a leadership that is not there is refused', async place => {
    const { writer } = place
    const epoch = place.leaderEpoch() + 1
    const isRefusal = (error: unknown) => error instanceof Refusal && error.code === ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert.throws(() => writer.listen(0, epoch, new Heard()), isRefusal)
    assert.ok(isRefusal(await writer.load(0, epoch, () => {}).catch((error: unknown) => error)))
    assert.ok(isRefusal(await writer.load(7, 0, () => {}).catch((error: unknown) => error)))
    assert.throws(() => writer.marks(7), isRefusal)
    assert.is(writer.partitionCount(), 2)
  })
}
