/**
 * The states of a classic group and which may follow which, as a table.
 *
 * Empty: no members; what remains are offsets, or nothing yet. PreparingRebalance: waits for all members to join.
 * CompletingRebalance: waits for the assignments of the leader, and for them to be committed. Stable: members work.
 * Dead: unloaded or never committed; whoever still holds it gets COORDINATOR_NOT_AVAILABLE.
 */

/** As ListGroups and DescribeGroups name them. */
export type ClassicState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

const mayFollow: Readonly<Record<ClassicState, readonly ClassicState[]>> = {
  Empty: ['PreparingRebalance', 'Dead'],
  PreparingRebalance: ['CompletingRebalance', 'Empty', 'Dead'],
  CompletingRebalance: ['Stable', 'PreparingRebalance', 'Dead'],
  Stable: ['PreparingRebalance', 'Dead'],
  Dead: ['Dead'],
}

export function mayTransition(from: ClassicState, to: ClassicState): boolean {
  return mayFollow[from].includes(to)
}
