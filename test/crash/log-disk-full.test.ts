/** A disk that fills up under an embedded log: the append that meets it throws, the process lives, and the log goes on. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openLog, StorageError } from '../../src/index.ts'
import { requires } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'

export const timeoutMs = 120_000

const test = suite('disk full under an embedded log')

const mounts = new Set<string>()
// Before the folder itself is removed: listeners run in the order in which they were added.
process.prependListener('exit', () => {
  for (const mount of mounts) spawnSync('umount', ['-l', mount])
})

const run = (program: string, ...args: string[]): void => {
  const { status, stderr } = spawnSync(program, args)
  if (status !== 0) throw new Error(`${program}: ${stderr}`)
}

const disks: Record<string, () => string> = {
  tmpfs: () => {
    const mount = join(temporaryFolder('disk'), 'mount')
    mkdirSync(mount)
    run('mount', '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', mount)
    mounts.add(mount)
    return mount
  },
  ext4: () => {
    const folder = temporaryFolder('disk')
    const [image, mount] = [join(folder, 'image'), join(folder, 'mount')]
    mkdirSync(mount)
    run('truncate', '-s', '40M', image)
    run('mkfs.ext4', '-q', '-F', '-O', '^has_journal', image)
    run('mount', '-o', 'loop', image, mount)
    mounts.add(mount)
    return mount
  },
}

test.before(() => requires('mount'))

for (const [kind, make] of Object.entries(disks)) {
  for (const size of [100, 3000, 100_000]) {
    test(`an append of ${size} bytes to ${kind} is refused by an error, and taken when there is room again`, async () => {
      const disk = make()
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
      spawnSync('umount', ['-l', disk])
      mounts.delete(disk)
    })
  }
}

test.run()
