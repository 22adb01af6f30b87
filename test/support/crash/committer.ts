/** A group's commits for one partition, 1, 2, 3 and so on, by nobody who is a member; and what it was promised. */
import { offsetCommit } from '../../../src/protocol/apis/08-offset-commit.ts'
import { offsetFetch } from '../../../src/protocol/apis/09-offset-fetch.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { eventually } from '../../clients/target.ts'
import type { WireClient } from '../wire-client.ts'
import { Violation } from './reading.ts'

/** Ask again. */
const comeAgain: readonly number[] = [
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
]

export class Committer {
  readonly group: string
  acknowledged = 0
  readonly #topic: string
  #sent = 0n
  #promised = 0n

  constructor(group: string, topic: string) {
    this.group = group
    this.#topic = topic
  }

  /** Commits while `goes` says so. Rejects when the connection breaks. */
  async run(client: WireClient, goes: () => boolean): Promise<void> {
    while (goes()) {
      const committedOffset = this.#sent + 1n
      this.#sent = committedOffset
      const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: `${committedOffset}` }]
      const request = { groupId: this.group, memberId: '', topics: [{ name: this.#topic, partitions }] }
      const { topics } = await client.send(offsetCommit, 8, request)
      const errorCode = topics[0]?.partitions[0]?.errorCode ?? -1
      if (comeAgain.includes(errorCode)) await new Promise(resolve => setTimeout(resolve, 20))
      else if (errorCode !== ErrorCode.NONE) throw new Violation(`a commit of ${this.group}: ${errorCode}`)
      else {
        this.#promised = committedOffset
        this.acknowledged++
      }
    }
  }

  /** @throws Violation when a commit was lost or invented. */
  async check(client: WireClient): Promise<void> {
    const offset = await this.#fetch(client)
    if (offset < this.#promised || offset > this.#sent)
      throw new Violation(`${this.group} is at ${offset}; ${this.#promised} acknowledged, ${this.#sent} sent`)
  }

  /** As `check` where commits may be lost. */
  async resume(client: WireClient): Promise<void> {
    const offset = await this.#fetch(client)
    if (offset > this.#sent) throw new Violation(`${this.group} is at ${offset}; ${this.#sent} sent`)
    this.#sent = this.#promised = offset
  }

  async #fetch(client: WireClient): Promise<bigint> {
    const groups = [{ groupId: this.group, topics: [{ name: this.#topic, partitionIndexes: [0] }] }]
    const ask = () => client.send(offsetFetch, 8, { groupId: '', topics: [], groups, requireStable: true })
    const answer = await eventually(ask, response => response.groups[0]?.errorCode === ErrorCode.NONE)
    const { committedOffset = -1n, metadata = null } = answer.groups[0]?.topics[0]?.partitions[0] ?? {}
    if (committedOffset < 0n) return 0n
    if (metadata !== `${committedOffset}`) throw new Violation(`${this.group}: ${committedOffset} with ${metadata}`)
    return committedOffset
  }
}
