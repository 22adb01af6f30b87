/**
 * A classic member over a bare connection, as patient as a real one: it joins, heartbeats, and
 * joins again when told to.
 */

import { joinGroup } from '../../src/protocol/apis/11-join-group.ts'
import { heartbeat } from '../../src/protocol/apis/12-heartbeat.ts'
import { syncGroup } from '../../src/protocol/apis/14-sync-group.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { findGroup } from './groups.ts'
import { WireClient } from './wire-client.ts'

const NOT_YET: readonly number[] = [ErrorCode.MEMBER_ID_REQUIRED, ErrorCode.REBALANCE_IN_PROGRESS]

export interface MemberOptions {
  readonly port: number
  readonly groupId: string
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
}

export class GroupMember {
  readonly #options: MemberOptions
  readonly #client: WireClient
  #memberId = ''
  #stopped = false
  /** -1 before the first. */
  generationId = -1
  /** Members of its generation, which the leader is told. */
  members = 0
  /** Heartbeats that were answered without an error. */
  beats = 0
  /** Errors that say the group no longer knows it, or no longer as it was. */
  readonly evictions: number[] = []
  readonly ended: Promise<void>

  private constructor(options: MemberOptions, client: WireClient) {
    this.#options = options
    this.#client = client
    this.ended = this.#run()
    // Whoever stops it is told; who kills its broker knows.
    this.ended.catch(() => {})
  }

  static async start(options: MemberOptions): Promise<GroupMember> {
    const client = await WireClient.connect(options.port)
    await findGroup(client, options.groupId)
    return new GroupMember(options, client)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.ended
    await this.#client.close()
  }

  async #run(): Promise<void> {
    let code: number = ErrorCode.REBALANCE_IN_PROGRESS
    while (!this.#stopped) {
      if (NOT_YET.includes(code)) code = await this.#join()
      else if (code === ErrorCode.NONE) {
        await new Promise(resolve => setTimeout(resolve, this.#options.heartbeatIntervalMs))
        code = await this.#beat()
      } else {
        this.evictions.push(code)
        this.#memberId = ''
        code = await this.#join()
      }
    }
  }

  async #beat(): Promise<number> {
    const { groupId } = this.#options
    const { errorCode } = await this.#client.send(heartbeat, 3, {
      groupId,
      generationId: this.generationId,
      memberId: this.#memberId,
    })
    if (errorCode === 0) this.beats++
    return errorCode
  }

  async #join(): Promise<number> {
    const { groupId, sessionTimeoutMs } = this.#options
    const joined = await this.#client.send(joinGroup, 5, {
      groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs: 60_000,
      memberId: this.#memberId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: new Uint8Array(1) }],
    })
    this.#memberId = joined.memberId
    if (joined.errorCode !== 0) return joined.errorCode
    const { generationId, memberId, leader, members } = joined
    const assignments = members.map(each => ({ memberId: each.memberId, assignment: new Uint8Array([1]) }))
    const request = { groupId, generationId, memberId, assignments: leader === memberId ? assignments : [] }
    const synced = await this.#client.send(syncGroup, 3, request)
    if (synced.errorCode === 0) {
      this.generationId = generationId
      this.members = members.length
    }
    return synced.errorCode
  }
}

/** So many members of one group, all of one generation. */
export async function startMembers(count: number, options: MemberOptions): Promise<GroupMember[]> {
  const members: GroupMember[] = []
  for (let index = 0; index < count; index++) members.push(await GroupMember.start(options))
  const isSettled = () =>
    members.every(member => member.generationId === members[0]?.generationId && member.beats > 0) &&
    members.some(member => member.members === count)
  while (!isSettled()) await new Promise(resolve => setTimeout(resolve, 20))
  return members
}
