/** Bugs that show only when everything plays together. */
import type { PlantedBug } from './bug.ts'

const room = 'coordinator/'
const noticed = {
  test: 'coordinator/group/world.test.ts',
  red: 'come to rest, lose no commit, and their log has their state',
}

export const inWorld: readonly PlantedBug[] = [
  {
    name: 'a join that is refused with its append is not answered',
    file: `${room}group/service.ts`,
    from: "refuse: ({ code }) => once({ errorCode: code, protocolName: '', leader: '', memberId: '', members: [] }),",
    to: 'refuse: () => {},',
    ...noticed,
  },
  {
    name: 'a commit is acknowledged before it is written',
    file: `${room}pipeline.ts`,
    from: 'newest.waiting.push(waiting)',
    to: 'waiting.committed()',
    ...noticed,
  },
  {
    name: 'a loaded shard waits for nobody who was silent before',
    file: `${room}group/consumer/groups.ts`,
    from: 'this.#timers.startSession(groupId, memberId, sessionTimeoutMs)',
    to: '',
    ...noticed,
  },
  {
    name: 'a partition is free while it is yet to be given up',
    file: `${room}group/consumer/group.ts`,
    from: 'for (const owned of [after?.assigned, after?.pendingRevocation])',
    to: 'for (const owned of [after?.assigned])',
    ...noticed,
  },
  {
    name: 'a reverted change of a map stays',
    file: 'timeline/map.ts',
    from: 'if (before === undefined) this.#entries.delete(key as K)\n    else ',
    to: 'if (before !== undefined) ',
    ...noticed,
  },
  {
    name: 'a group that is refused is not told to its members',
    file: `${room}group/classic/joins.ts`,
    from: 'if (this.#context.groups.get(group.groupId) !== group) this.#rebalances.dissolve',
    to: 'if (this.#context.groups.get(group.groupId) === group) this.#rebalances.dissolve',
    test: 'coordinator/group/classic/joins.test.ts',
    red: 'everybody in a new group is told when it can not be written',
  },
]
