/**
 * A disk that fills up under an embedded log: the append that meets it throws, the process lives, and the log goes on.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openLog, StorageError } from '../../src/index.ts'
import { requires } from '../support/requires.ts'
import { type SmallDisk, smallDisk } from '../support/small-disk.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { mount, run } from '../support/undo.ts'

export const timeoutMs = 120_000

const test = suite('disk full under an embedded log')

const disks: Record<string, () => SmallDisk> = {
  tmpfs: () => smallDisk(24),
  ext4: () => {
    const folder = temporaryFolder('disk')
    const [image, path] = [join(folder, 'image'), join(folder, 'mount')]
    run('truncate', '-s', '40M', image)
    run('mkfs.ext4', '-q', '-F', '-O', '^has_journal', image)
    return { path, remove: mount(path, '-o', 'loop', image) }
  },
}

test.before(() => requires('mount'))

for (const [kind, make] of Object.entries(disks)) {
  for (const size of [100, 3000, 100_000]) {
    test(`an append of ${size} bytes to ${kind} is refused by an error, and taken when there is room again`, async () => {
      const { path: disk, remove } = make()
      const filler = join(disk, 'filler')
      writeFileSync(filler, new Uint8Array(8 << 20))
      const dir = join(disk, 'data', 'full-0')
      const log = await openLog({ dir, config: { 'segment.bytes': 4 << 20 } })
      const value = new Uint8Array(size).fill(1)
      let refused: unknown
      let count = 0
      while (refused === undefined && count < 500_000) {
        try {
          assert.is(log.append(value), count)
          count++
        } catch (error) {
          refused = error
        }
      }
      assert.instance(refused, StorageError)
      assert.throws(() => {
        for (let index = 0; index < 1000; index++) {
          log.append(value)
          count++
        }
      }, /no room/)
      rmSync(filler)
      assert.is(log.append(value), count++)
      assert.is(await log.appendDurable('durable'), count++)
      assert.is([...log].length, count)
      await log.close()
      const again = await openLog({ dir, config: { 'segment.bytes': 4 << 20 } })
      assert.is(again.endOffset, count)
      await again.close()
      remove()
    })
  }
}

test.run()
