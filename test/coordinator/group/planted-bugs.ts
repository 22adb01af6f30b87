/** Bugs in consumer groups that tests must notice: `node test/coordinator/group/planted-bugs.ts [part of a name]`. */
import type { PlantedBug } from '../../support/planted-bugs.ts'
import { plantBugs } from '../../support/planted-bugs.ts'

const room = 'coordinator/group/consumer/'
const tests = 'test/coordinator/group/consumer/'

const bugs: readonly PlantedBug[] = [
  {
    name: 'a partition is given while another member has it',
    file: `${room}current-assignment.ts`,
    from: 'if (step.isOwned(topicId, partition) && !revoked.has(partition)) {',
    to: 'if (step.isOwned(topicId, partition) && revoked.has(partition)) {',
    test: `${tests}model.test.ts`,
  },
  {
    name: 'a member moves on before it gave up its partitions',
    file: `${room}current-assignment.ts`,
    from: 'const mustRevoke = toRevoke.size > 0 && stillOwns(step, toRevoke)',
    to: 'const mustRevoke = false',
    test: `${tests}model.test.ts`,
  },
  {
    name: 'a silent member counts as one that gave up its partitions',
    file: `${room}current-assignment.ts`,
    from: 'return step.owned === null || intersects',
    to: 'return step.owned !== null && intersects',
    test: `${tests}model.test.ts`,
  },
  {
    name: 'a member that waits for partitions waits for ever',
    file: `${room}current-assignment.ts`,
    from: 'case MemberState.unreleasedPartitions:\n      return advance(member, member.memberEpoch, step)',
    to: 'case MemberState.unreleasedPartitions:\n      return member',
    test: `${tests}model.test.ts`,
  },
  {
    name: 'partitions are not free when their member is gone',
    file: `${room}group.ts`,
    from: 'if (owners.get(partition) === epoch) owners.delete(partition)',
    to: 'if (owners.get(partition) === -1) owners.delete(partition)',
    test: `${tests}model.test.ts`,
  },
  {
    name: 'partitions that a member has yet to give up are free',
    file: `${room}group.ts`,
    from: 'for (const owned of [after?.assigned, after?.pendingRevocation])',
    to: 'for (const owned of [after?.assigned])',
    test: `${tests}model.test.ts`,
  },
  {
    name: 'the epoch stays when a member leaves',
    file: `${room}fencing.ts`,
    from: 'group.epoch + 1, hash',
    to: 'group.epoch, hash',
    test: `${tests}model.test.ts`,
  },
  {
    name: 'topics that change are not looked at',
    file: `${room}group.ts`,
    from: 'this.#refreshAt = AT_ONCE\n',
    to: '\n',
    test: `${tests}model.test.ts`,
  },
  {
    name: 'different subscriptions count as equal',
    file: `${room}counts.ts`,
    from: 'if (count.byName !== members) return false',
    to: 'if (count.byName > members) return false',
    test: `${tests}model.test.ts`,
  },
  {
    name: 'a look at topics that was not written counts as taken',
    file: `${room}group.ts`,
    from: ' || this.epoch < this.#refreshAt.epoch',
    to: '',
    test: `${tests}heartbeats.test.ts`,
  },
  {
    name: 'a member whose answer was lost is fenced',
    file: `${room}membership.ts`,
    from: 'epoch === member.previousMemberEpoch &&',
    to: 'epoch === member.memberEpoch &&',
    test: `${tests}heartbeats.test.ts`,
  },
  {
    name: 'any epoch will do',
    file: `${room}membership.ts`,
    from: 'if (epoch === JOIN_EPOCH || epoch === member.memberEpoch) return',
    to: 'if (epoch >= JOIN_EPOCH) return',
    test: `${tests}heartbeats.test.ts`,
  },
  {
    name: 'assignments are made one after the other without a pause',
    file: `${room}steps.ts`,
    from: 'nowMs >= timestampMs + intervalMs',
    to: 'nowMs >= timestampMs',
    test: `${tests}heartbeats.test.ts`,
  },
  {
    name: 'members are not fenced when they keep their partitions',
    file: `${room}steps.ts`,
    from: 'else this.#timers.startRebalance(',
    to: 'else if (after.memberEpoch < 0) this.#timers.startRebalance(',
    test: `${tests}fencing.test.ts`,
  },
  {
    name: 'a leave that was not written ends the session',
    file: `${room}fencing.ts`,
    from: 'if (group instanceof ConsumerGroup && group.hasMember(memberId)) return',
    to: '',
    test: `${tests}fencing.test.ts`,
  },
  {
    name: 'an instance id is taken from a member that is there',
    file: `${room}membership.ts`,
    from: 'present.memberEpoch !== STATIC_LEAVE_EPOCH',
    to: 'present.memberEpoch === STATIC_LEAVE_EPOCH',
    test: `${tests}static-members.test.ts`,
  },
  {
    name: 'a static member does not get the target of the one that it replaces',
    file: `${room}membership.ts`,
    from: 'group.targetOf(present.memberId)',
    to: 'group.targetOf(member.memberId)',
    test: `${tests}static-members.test.ts`,
  },
  {
    name: 'new topics are not matched with expressions',
    file: `${room}regexes.ts`,
    from: 'version < this.#newTopicsAt ||',
    to: 'version > this.#newTopicsAt ||',
    test: `${tests}regexes.test.ts`,
  },
  {
    name: 'a group stays a consumer group when only classic members are left',
    file: `${room}migration.ts`,
    from: 'group.classicMemberCount - classicLeaving === staying &&',
    to: 'group.classicMemberCount - classicLeaving > staying &&',
    test: `${tests}migration.test.ts`,
  },
  {
    name: 'members lose what they own when their group becomes a consumer group',
    file: `${room}migration.ts`,
    from: 'assigned: withEpoch(assigned, epoch),',
    to: 'assigned: withEpoch(new Map(), epoch),',
    test: `${tests}migration.test.ts`,
  },
]

process.exitCode = plantBugs(bugs, process.argv[2]) === 0 ? 0 : 1
