/** Epochs and generations in a log of groups: none goes back while its group, or its member, is there. */
import * as assert from 'uvu/assert'
import type { GroupRecord } from '../../../src/coordinator/group/records.ts'
import { groupRecordSerde } from '../../../src/coordinator/group/records.ts'

interface Written {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

export function checkEpochs(log: readonly Written[]): void {
  const known = new Map<string, number>()
  for (const { key, value } of log) {
    if (key === null || key.length < 8) continue
    const record = groupRecordSerde.deserialize({ key, value })
    const named = record === undefined ? undefined : epochOf(record)
    if (named === undefined) continue
    const [name, epoch] = named
    const before = known.get(name) ?? -1
    if (epoch === undefined) known.delete(name)
    else {
      assert.ok(epoch >= before, `${name} goes from ${before} to ${epoch}`)
      known.set(name, epoch)
    }
  }
}

/** Whose epoch a record tells; undefined: it goes, and begins anew. */
function epochOf({ name, key, value }: GroupRecord): readonly [whose: string, epoch: number | undefined] | undefined {
  switch (name) {
    case 'GroupMetadata':
      return [`generation of ${key.group}`, value?.generation]
    case 'ConsumerGroupMetadata':
      return [`epoch of ${key.groupId}`, value?.epoch]
    case 'ConsumerGroupTargetAssignmentMetadata':
      return [`assignment epoch of ${key.groupId}`, value?.assignmentEpoch]
    case 'ConsumerGroupCurrentMemberAssignment':
      // 0 and below: it starts over, or is away.
      return [
        `epoch of member ${key.memberId}`,
        value === null || value.memberEpoch <= 0 ? undefined : value.memberEpoch,
      ]
    default:
      return undefined
  }
}
