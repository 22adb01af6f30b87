/**
 * Tells the controller in which directory each replica of this broker lies (AssignReplicasToDirs).
 *
 * Invariants: one request at a time is under way; what comes meanwhile goes together in the next one. Nothing is sent
 * before this broker is registered.
 */
import type { Logger } from '../base/logger.ts'
import type {
  AssignReplicasToDirsRequestInput,
  AssignReplicasToDirsResponse,
} from '../protocol/apis/73-assign-replicas-to-dirs.ts'
import { assignReplicasToDirs } from '../protocol/apis/73-assign-replicas-to-dirs.ts'
import { describeError, ErrorCode } from '../protocol/error-codes.ts'
import type { ControllerPort } from './context.ts'

/** Replicas of one request. */
const AT_ONCE = 2000

interface Assignment {
  readonly topicId: string
  readonly index: number
  readonly directoryId: string
  readonly done: (errorCode: number) => void
}

export class Assignments {
  readonly #controller: ControllerPort
  readonly #nodeId: number
  readonly #logger: Logger
  #brokerEpoch: number | undefined
  #waiting: Assignment[] = []
  #underWay = false

  constructor(controller: ControllerPort, nodeId: number, logger: Logger) {
    this.#controller = controller
    this.#nodeId = nodeId
    this.#logger = logger
  }

  /** This broker is registered. */
  start(brokerEpoch: number): void {
    this.#brokerEpoch = brokerEpoch
    void this.#send()
  }

  /** Resolves to Kafka's code once the metadata says so, or the controller has refused. */
  assign(topicId: string, index: number, directoryId: string): Promise<number> {
    const answered = new Promise<number>(done => this.#waiting.push({ topicId, index, directoryId, done }))
    void this.#send()
    return answered
  }

  async #send(): Promise<void> {
    const brokerEpoch = this.#brokerEpoch
    if (this.#underWay || brokerEpoch === undefined) return
    this.#underWay = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, AT_ONCE)
      const request = requestOf(batch, this.#nodeId, brokerEpoch)
      const answer = await this.#controller.handle(assignReplicasToDirs.key, 0, request, { clientId: null })
      this.#answer(batch, answer as AssignReplicasToDirsResponse)
    }
    this.#underWay = false
  }

  #answer(batch: readonly Assignment[], { errorCode, directories }: AssignReplicasToDirsResponse): void {
    if (errorCode !== ErrorCode.NONE)
      this.#logger.warn(`the controller did not take over where replicas lie: ${describeError(errorCode).name}`)
    const codes = new Map<string, number>()
    for (const { id, topics } of directories ?? []) {
      for (const { topicId, partitions } of topics) {
        for (const each of partitions) codes.set(`${id} ${topicId} ${each.partitionIndex}`, each.errorCode)
      }
    }
    for (const { topicId, index, directoryId, done } of batch)
      done(errorCode || (codes.get(`${directoryId} ${topicId} ${index}`) ?? ErrorCode.UNKNOWN_SERVER_ERROR))
  }
}

function requestOf(
  batch: readonly Assignment[],
  brokerId: number,
  brokerEpoch: number,
): AssignReplicasToDirsRequestInput {
  const directories = new Map<string, Map<string, { partitionIndex: number }[]>>()
  for (const { topicId, index, directoryId } of batch) {
    let topics = directories.get(directoryId)
    if (topics === undefined) directories.set(directoryId, (topics = new Map()))
    const partitions = topics.get(topicId)
    if (partitions === undefined) topics.set(topicId, [{ partitionIndex: index }])
    else partitions.push({ partitionIndex: index })
  }
  return {
    brokerId,
    brokerEpoch,
    directories: [...directories].map(([id, topics]) => ({
      id,
      topics: [...topics].map(([topicId, partitions]) => ({ topicId, partitions })),
    })),
  }
}
