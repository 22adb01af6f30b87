/**
 * Standing for election. The sole voter wins its pre-vote and its vote by its own voice, so both steps pass in one; a voter
 * set that holds others, or another disk under this node's id, is not this node's to lead.
 */
import { ZERO_UUID } from '../base/uuid.ts'
import { Leader } from './leader.ts'
import type { Opened, Raft, RaftEffect } from './raft.ts'

/** From prospective to candidate: the vote, and behind it the first record of the new epoch. */
export function campaign(raft: Raft, opened: Opened, nowMs: number): RaftEffect[] {
  const { self } = raft
  const strangers = opened.voters.filter(voter => voter.voterId !== self.voterId)
  if (strangers.length > 0) {
    const ids = opened.voters.map(voter => voter.voterId).join(', ')
    return raft.stop(
      `the metadata log belongs to a quorum of controllers (${ids}); this broker runs as its own controller only`,
    )
  }
  const mine = opened.voters.find(voter => voter.voterId === self.voterId)
  if (mine !== undefined && opened.kraftVersion > 0 && mine.voterDirectoryId !== self.voterDirectoryId) {
    return raft.stop(
      `the metadata log names directory ${mine.voterDirectoryId} as the voter's, but meta.properties says directory.id=${self.voterDirectoryId}; ` +
        'restore the meta.properties that belongs to this directory',
    )
  }
  raft.become('candidate')
  raft.epoch += 1
  raft.leader = new Leader(raft, opened)
  const election = { epoch: raft.epoch, leaderId: self.voterId, votedId: -1, votedDirectoryId: ZERO_UUID }
  return [{ type: 'storeVote', election }, raft.leader.begin(nowMs)]
}
