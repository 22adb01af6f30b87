/**
 * One member of a classic group: what it said of itself, what the leader assigned to it, and the answers it waits for.
 *
 * Invariants: at most one join and one sync of a member are unanswered. `MemberTable` alone sets `join` and `sync`.
 */
import type { JoinGroupResponseInput } from '../../../protocol/apis/11-join-group.ts'
import type { SyncGroupResponseInput } from '../../../protocol/apis/14-sync-group.ts'
import type { Outcome } from '../../shard.ts'
import type { GroupRecord } from '../records.ts'

export type JoinAnswer = (response: JoinGroupResponseInput) => void
export type SyncAnswer = (response: SyncGroupResponseInput) => void

/** A way of assigning that a member supports, with what its leader needs to know for it. */
export interface MemberProtocol {
  readonly name: string
  readonly metadata: Uint8Array
}

export interface MemberProfile {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly protocolType: string
  /** By preference. */
  readonly protocols: readonly MemberProtocol[]
  /** Absent: none yet. */
  readonly assignment?: Uint8Array
}

/** What a member's session timer is, kept because each heartbeat sets it again. */
export interface MemberSession {
  /** The group that set it. */
  readonly group: object
  readonly key: string
  readonly expire: () => Outcome<GroupRecord, void>
}

export const NO_ASSIGNMENT = new Uint8Array(0)

export class ClassicMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly protocolType: string
  rebalanceTimeoutMs: number
  sessionTimeoutMs: number
  protocols: readonly MemberProtocol[]
  assignment: Uint8Array
  /** Joined for the first time and not yet answered: it does not know its id, so its silence is no sign of life. */
  isNew = false
  join: JoinAnswer | undefined = undefined
  sync: SyncAnswer | undefined = undefined
  session: MemberSession | undefined = undefined

  constructor(profile: MemberProfile) {
    this.memberId = profile.memberId
    this.groupInstanceId = profile.groupInstanceId
    this.clientId = profile.clientId
    this.clientHost = profile.clientHost
    this.protocolType = profile.protocolType
    this.rebalanceTimeoutMs = profile.rebalanceTimeoutMs
    this.sessionTimeoutMs = profile.sessionTimeoutMs
    this.protocols = profile.protocols
    this.assignment = profile.assignment ?? NO_ASSIGNMENT
  }

  get isStatic(): boolean {
    return this.groupInstanceId !== null
  }

  /** Whether its session holds without a heartbeat: it waits for an answer and cannot send one. */
  get isWaiting(): boolean {
    return !this.isNew && (this.join !== undefined || this.sync !== undefined)
  }

  /** Its metadata for a protocol; undefined when it does not support that. */
  metadata(protocolName: string): Uint8Array | undefined {
    return this.protocols.find(protocol => protocol.name === protocolName)?.metadata
  }

  /** Whether it already said exactly this of its protocols, in this order. */
  matches(protocols: readonly MemberProtocol[]): boolean {
    return (
      protocols.length === this.protocols.length &&
      protocols.every((protocol, index) => {
        const mine = this.protocols[index] as MemberProtocol
        return mine.name === protocol.name && sameBytes(mine.metadata, protocol.metadata)
      })
    )
  }

  /** Its first choice of `candidates`. */
  vote(candidates: ReadonlySet<string>): string | undefined {
    return this.protocols.find(protocol => candidates.has(protocol.name))?.name
  }
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index])
}
