/** What the file `quorum-state` of the metadata log says, as JSON with a `data_version` beside the fields. */
import type { Message, MessageInput } from '../schema.ts'
import { array, int32, int64, message, string, uuid } from '../schema.ts'

/** The election state of this replica: version 0 under kraft.version 0, version 1 under 1. */
export const quorumStateData = message(
  'QuorumStateData',
  { versions: '0-1', flexible: '0+' },
  {
    clusterId: string('0'),
    /** -1: unknown. */
    leaderId: int32('0+', { default: -1 }),
    leaderEpoch: int32('0+', { default: -1 }),
    /** -1: no vote in this epoch. */
    votedId: int32('0+', { default: -1 }),
    votedDirectoryId: uuid('1+'),
    appliedOffset: int64('0'),
    currentVoters: array(
      '0',
      {
        voterId: int32('0'),
      },
      { nullable: '0' },
    ),
  },
)
export type QuorumStateData = Message<typeof quorumStateData>
export type QuorumStateDataInput = MessageInput<typeof quorumStateData>
