/** A shard of groups through random histories: refused appends, reloads, and time that passes. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { GroupRecord } from '../../../src/coordinator/group/records.ts'
import type { GroupShard } from '../../../src/coordinator/group/shard.ts'
import type { Outcome } from '../../../src/coordinator/shard.ts'
import { Refusal } from '../../../src/coordinator/shard.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import {
  CHECK_MS,
  commit,
  everything,
  groupShardRig,
  heartbeat,
  joinGroup,
  MINUTE_MS,
  offsetsOf,
  RETENTION_MS,
} from '../../support/group-shard.ts'
import { runs } from '../../support/runs.ts'

const test = suite('histories of a group shard')

const name = fc.constantFrom('g', 'h')
const command = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('commit' as const), group: name, topic: name, count: fc.nat(2) }),
  },
  fc.record({ do: fc.constant('delete offsets' as const), group: name, topic: name }),
  fc.record({ do: fc.constant('delete group' as const), group: name }),
  fc.record({ do: fc.constant('delete topic' as const), topic: name }),
  fc.record({ do: fc.constant('join' as const), group: name }),
  fc.record({ do: fc.constant('heartbeat' as const), group: name }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1_000, CHECK_MS, RETENTION_MS) }),
  fc.record({ do: fc.constant('refuse' as const), appends: fc.nat(2) }),
  { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  fc.record({ do: fc.constant('reload' as const) }),
)

test('a shard has after any history what its log gives, and no acknowledged offset goes back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.array(command, { maxLength: 40, size: 'max' }), async (seed, commands) => {
      const rig = await groupShardRig({ seed }).start()
      let refusals = 0
      rig.writer.plan = () => (refusals-- > 0 ? ErrorCode.NOT_ENOUGH_REPLICAS : ErrorCode.NONE)
      let next = 0n
      /** The newest offset that was acknowledged; deletions forget it when they are asked for. */
      const acknowledged = new Map<string, bigint>()
      const forget = (matches: (key: string) => boolean) => {
        for (const key of acknowledged.keys()) if (matches(key)) acknowledged.delete(key)
        forgotten = next
      }
      let forgotten = -1n
      const deletions = new Map<string, number>()
      const idOf = (topic: string) => `${topic}${deletions.get(topic) ?? 0}`.padEnd(21, 'a') + 'A'
      const write = (operation: (shard: GroupShard) => Outcome<GroupRecord, unknown>, done: () => void = () => {}) =>
        rig.runtime.write(0, 'test', 5_000, operation).then(done, (error: unknown) => {
          if (!(error instanceof Refusal)) throw error
        })
      const running: Promise<void>[] = []
      for (const each of commands) {
        switch (each.do) {
          case 'commit': {
            const offset = next++
            const partitions = Array.from({ length: each.count + 1 }, (_, partition) => [partition, offset] as const)
            const done = () => {
              if (offset < forgotten) return
              for (const [partition] of partitions) acknowledged.set(`${each.group}/${each.topic}/${partition}`, offset)
            }
            running.push(write(commit(each.group, each.topic, partitions, idOf(each.topic)), done))
            break
          }
          case 'delete offsets':
            forget(key => key.startsWith(`${each.group}/`))
            running.push(
              write(shard =>
                shard.deleteOffsets({
                  groupId: each.group,
                  topics: [{ name: each.topic, partitions: [{ partitionIndex: 0 }] }],
                }),
              ),
            )
            break
          case 'delete group':
            forget(key => key.startsWith(`${each.group}/`))
            running.push(write(shard => shard.deleteGroups([each.group])))
            break
          case 'delete topic': {
            // Whoever commits from now on reads another topic of that name.
            const topic = { name: each.topic, id: idOf(each.topic) }
            deletions.set(each.topic, (deletions.get(each.topic) ?? 0) + 1)
            forget(key => key.split('/')[1] === each.topic)
            running.push(write(shard => shard.onTopicsDeleted([topic])))
            break
          }
          case 'join':
            running.push(write(joinGroup(each.group, () => {})))
            break
          case 'heartbeat':
            running.push(write(heartbeat(each.group)))
            break
          case 'pass':
            // A group that has been empty for long enough loses new offsets too.
            if (each.ms >= CHECK_MS) forget(() => true)
            await rig.host.advance(each.ms)
            break
          case 'refuse':
            refusals = each.appends
            break
          case 'settle':
            await rig.host.settle()
            break
          case 'reload':
            await rig.reload()
        }
        for (const [key, offset] of acknowledged) {
          const [groupId = '', place = ''] = [key.slice(0, 1), key.slice(2)]
          const found = offsetsOf(rig.shard(), groupId)[place]
          assert.ok(found !== undefined && BigInt(found[0]) >= offset, `${key} was acknowledged at ${offset}`)
        }
      }
      refusals = 0
      await rig.host.advance(MINUTE_MS)
      await Promise.all(running)
      const live = offsetsByGroup(rig.shard())
      await rig.reload()
      assert.equal(offsetsByGroup(rig.shard()), live)
    }),
    runs(100),
  )
})

/** What must be the same after a load; how far a rebalance has come is not. */
function offsetsByGroup(shard: GroupShard) {
  return everything(shard).map(({ groupId, groupType, offsets }) => ({ groupId, groupType, offsets }))
}

test.run()
