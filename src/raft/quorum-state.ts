/**
 * The file `quorum-state`: which epoch this replica has seen, who leads it, whom it voted for. One line of
 * JSON, as Kafka writes it.
 *
 * Invariant: written durably before anything is done that depends on it; a version that is not known is an error.
 */
import { ZERO_UUID } from '../base/uuid.ts'

export const QUORUM_STATE_FILE = 'quorum-state'

export interface ElectionState {
  readonly epoch: number
  /** -1: unknown. */
  readonly leaderId: number
  /** -1: nobody. */
  readonly votedId: number
  readonly votedDirectoryId: string
}

/** As the file has it. */
export interface StoredElection extends ElectionState {
  /** Under kraft.version 0, where no record names them; else empty. */
  readonly voterIds: readonly number[]
}

/** `voterIds` is stored only under kraft.version 0. */
export function formatQuorumState(state: ElectionState, kraftVersion: number, voterIds: readonly number[]): Uint8Array {
  const common = { leaderId: state.leaderId, leaderEpoch: state.epoch, votedId: state.votedId }
  const json =
    kraftVersion === 0
      ? {
          clusterId: '',
          ...common,
          appliedOffset: 0,
          currentVoters: voterIds.map(voterId => ({ voterId })),
          data_version: 0,
        }
      : { ...common, votedDirectoryId: state.votedDirectoryId, data_version: 1 }
  return new TextEncoder().encode(JSON.stringify(json))
}

/** The state in the file's content; a text saying what is wrong with it. */
export function parseQuorumState(content: Uint8Array): StoredElection | string {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder().decode(content))
  } catch {
    return 'it is not JSON'
  }
  if (typeof json !== 'object' || json === null) return 'it is not a JSON object'
  const fields = json as Record<string, unknown>
  const version = fields['data_version']
  if (version !== 0 && version !== 1) return `its data_version is ${JSON.stringify(version)}; 0 and 1 are known`
  const epoch = fields['leaderEpoch']
  if (typeof epoch !== 'number' || !Number.isInteger(epoch) || epoch < 0) return 'it has no leaderEpoch'
  const votedDirectoryId = fields['votedDirectoryId']
  const voters = fields['currentVoters']
  return {
    voterIds: Array.isArray(voters)
      ? voters.map(voter => Number((voter as { voterId?: unknown } | null)?.voterId))
      : [],
    epoch,
    leaderId: typeof fields['leaderId'] === 'number' ? fields['leaderId'] : -1,
    votedId: typeof fields['votedId'] === 'number' ? fields['votedId'] : -1,
    votedDirectoryId: typeof votedDirectoryId === 'string' ? votedDirectoryId : ZERO_UUID,
  }
}
