/**
 * FindCoordinator (10): the broker that leads the partition of `__consumer_offsets` to which a group belongs.
 *
 * The topic is created when somebody asks for the first time, and the answer waits, within a limit, until the
 * partition is led and loaded, so that a client's first attempt succeeds (Kafka answers COORDINATOR_NOT_AVAILABLE and
 * the client comes again). Keys of transactions and share partitions are answered INVALID_REQUEST, since there is
 * nobody to coordinate them.
 */
import type { FindCoordinatorRequest } from '../../protocol/apis/10-find-coordinator.ts'
import { findCoordinator } from '../../protocol/apis/10-find-coordinator.ts'
import type { KafkaErrorCode } from '../../protocol/error-codes.ts'
import { describeError, ErrorCode } from '../../protocol/error-codes.ts'
import type { Handler, RequestContext } from '../context.ts'

const SEVERAL_SINCE_VERSION = 4
const KeyType = { group: 0, transaction: 1, share: 2 }

interface Found {
  readonly errorCode: KafkaErrorCode
  readonly errorMessage: string
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

export const findCoordinatorHandler: Handler<FindCoordinatorRequest> = {
  apiKey: findCoordinator.key,

  async handle(context, request) {
    const { version } = context
    if (version < SEVERAL_SINCE_VERSION) return findOne(context, request)
    const { keyType, coordinatorKeys } = request
    const refusal = refusalOf(keyType) ?? (await withoutTopic(context))
    if (refusal !== undefined) return { coordinators: coordinatorKeys.map(key => ({ key, ...refusal })) }
    const { groupCoordinators } = context.broker
    const partitions = coordinatorKeys.map(key => groupCoordinators.partitionFor(key))
    const found = new Map<number, Found>()
    const finds = Array.from(new Set(partitions), async partition => {
      found.set(partition, await find(context, partition))
    })
    await Promise.all(finds)
    return { coordinators: coordinatorKeys.map((key, index) => ({ key, ...found.get(partitions[index]!)! })) }
  },

  failure({ coordinatorKeys }, errorCode) {
    const none = nobody(errorCode as KafkaErrorCode)
    return { ...none, coordinators: coordinatorKeys.map(key => ({ key, ...none })) }
  },
}

/** In the versions for one key, the message is never empty: success is told too. */
async function findOne(context: RequestContext, { keyType, key }: FindCoordinatorRequest): Promise<Found> {
  const refusal = refusalOf(keyType) ?? (await withoutTopic(context))
  const found = refusal ?? (await find(context, context.broker.groupCoordinators.partitionFor(key)))
  if (found.errorMessage !== '') return found
  const { name, text } = describeError(found.errorCode)
  return { ...found, errorMessage: found.errorCode === ErrorCode.NONE ? name : text }
}

/** Makes sure that there is the topic of groups. @returns the answer if it could not be created. */
async function withoutTopic({ broker, clientId }: RequestContext): Promise<Found | undefined> {
  const created = await broker.groupCoordinators.createTopic(clientId)
  return created === ErrorCode.NONE ? undefined : nobody(ErrorCode.COORDINATOR_NOT_AVAILABLE)
}

function nobody(errorCode: KafkaErrorCode, errorMessage = ''): Found {
  return { errorCode, errorMessage, nodeId: -1, host: '', port: -1 }
}

function refusalOf(keyType: number): Found | undefined {
  switch (keyType) {
    case KeyType.group:
      return undefined
    case KeyType.transaction:
      return nobody(ErrorCode.INVALID_REQUEST, 'This broker coordinates no transactions.')
    case KeyType.share:
      return nobody(ErrorCode.INVALID_REQUEST, 'This broker coordinates no share groups.')
    default:
      return nobody(ErrorCode.INVALID_REQUEST, `There is no coordinator of type ${keyType}.`)
  }
}

async function find({ broker, connection }: RequestContext, partition: number): Promise<Found> {
  const nodeId = await broker.groupCoordinators.whenReady(partition)
  const reached = broker.endpointOf(nodeId, connection)
  if (reached === undefined) return nobody(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  return { errorCode: ErrorCode.NONE, errorMessage: '', nodeId, host: reached.host, port: reached.port }
}
