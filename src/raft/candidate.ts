/**
 * Standing for election. The sole voter wins its pre-vote and its vote by its own voice, so both steps pass in one; a
 * voter set that holds others, or another disk under this node's id, is not this node's to lead.
 */
import { ZERO_UUID } from '../base/uuid.ts'
import type { Voter, Voters } from './control-records.ts'
import { Leader } from './leader.ts'
import type { Opened, Raft, RaftEffect } from './raft.ts'

/** Why `self` may not lead the quorum of `voters`; undefined when it may. */
export function whyNotLeader(self: Voter, kraftVersion: number, voters: Voters): string | undefined {
  if (voters.some(voter => voter.voterId !== self.voterId)) return strangers(voters.map(voter => voter.voterId))
  const mine = voters.find(voter => voter.voterId === self.voterId)
  if (mine === undefined || kraftVersion === 0 || mine.voterDirectoryId === self.voterDirectoryId) return undefined
  return (
    `the metadata log names directory ${mine.voterDirectoryId} as the voter's, but meta.properties says directory.id=${self.voterDirectoryId}; ` +
    'restore the meta.properties that belongs to this directory'
  )
}

/** Of a quorum that is not this node's alone. */
export function strangers(voterIds: readonly number[]): string {
  return (
    `the metadata log belongs to a quorum of controllers (${voterIds.join(', ')}); ` +
    'this broker runs as its own controller only'
  )
}

/** From prospective to candidate: the vote, and behind it the first record of the new epoch. */
export function campaign(raft: Raft, opened: Opened, nowMs: number): RaftEffect[] {
  const { self } = raft
  const refused = whyNotLeader(self, opened.kraftVersion, opened.voters)
  if (refused !== undefined) return raft.stop(refused)
  raft.become('candidate')
  raft.epoch += 1
  raft.leader = new Leader(raft, opened)
  const election = { epoch: raft.epoch, leaderId: self.voterId, votedId: -1, votedDirectoryId: ZERO_UUID }
  return [{ type: 'storeVote', election }, raft.leader.begin(nowMs)]
}
