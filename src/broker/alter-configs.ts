/**
 * What AlterConfigs and IncrementalAlterConfigs have in common on a broker: requests are looked through, and what is
 * left is for the controller.
 *
 * Order of checks as in Kafka: a resource that comes twice, a key that comes twice, values that are missing, then the
 * resource by its type. A broker judges the configs of its own and of all brokers: it knows which keys it listens to.
 * Every resource is answered, in the request's order.
 */
import { validateDynamicBroker } from '../config/dynamic-broker.ts'
import { ConfigResource } from '../metadata/image.ts'
import type { AlterConfigsResponse, AlterConfigsResponseInput } from '../protocol/apis/33-alter-configs.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { brokerConfigs } from './config-resources.ts'
import type { BrokerPorts, RequestContext } from './context.ts'
import { forwardToController } from './forward.ts'

export interface AlterableResource {
  readonly resourceType: number
  readonly resourceName: string
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

export interface Outcome {
  readonly errorCode: number
  readonly errorMessage: string | null
}

export const done: Outcome = { errorCode: ErrorCode.NONE, errorMessage: null }

export function refused(errorCode: number, errorMessage: string): Outcome {
  return { errorCode, errorMessage }
}

/** What a request does to the configs of one resource that need no controller; undefined: the controller goes on. */
export type Judge<R> = (broker: BrokerPorts, resource: R) => Outcome | undefined

/** `needsValue`: whether a null value of this config is an error. */
export async function alterConfigResources<R extends AlterableResource>(
  context: RequestContext,
  request: { readonly resources: readonly R[]; readonly validateOnly: boolean },
  needsValue: (config: R['configs'][number]) => boolean,
  judge: Judge<R>,
): Promise<AlterConfigsResponseInput> {
  const keyOf = ({ resourceType, resourceName }: { resourceType: number; resourceName: string }) =>
    `${resourceType}:${resourceName}`
  const times = new Map<string, number>()
  for (const resource of request.resources) times.set(keyOf(resource), (times.get(keyOf(resource)) ?? 0) + 1)
  const outcomes = new Map<R, Outcome>()
  for (const resource of request.resources) {
    const outcome =
      times.get(keyOf(resource)) === 1
        ? (formProblem(resource, needsValue) ?? judge(context.broker, resource))
        : refused(ErrorCode.INVALID_REQUEST, 'Each resource must appear at most once.')
    if (outcome !== undefined) outcomes.set(resource, outcome)
  }
  const rest = request.resources.filter(resource => !outcomes.has(resource))
  const answered = new Map<string, Outcome>()
  if (rest.length > 0) {
    const timeoutMs = context.broker.config.number('request.timeout.ms')
    const answer = await forwardToController(context, { ...request, resources: rest }, timeoutMs)
    for (const each of (answer as AlterConfigsResponse).responses) answered.set(keyOf(each), each)
  }
  const responses = request.resources.map(resource => {
    const { resourceType, resourceName } = resource
    const outcome = outcomes.get(resource) ?? answered.get(keyOf(resource))
    const { errorCode, errorMessage } = outcome ?? refused(ErrorCode.UNKNOWN_SERVER_ERROR, 'the controller kept silent')
    return { errorCode, errorMessage, resourceType, resourceName }
  })
  return { responses }
}

export function failedAlterations(
  { resources }: { readonly resources: readonly AlterableResource[] },
  errorCode: number,
): AlterConfigsResponseInput {
  const responses = resources.map(({ resourceType, resourceName }) => {
    return { errorCode, errorMessage: null, resourceType, resourceName }
  })
  return { responses }
}

function formProblem<R extends AlterableResource>(
  { configs }: R,
  needsValue: (config: R['configs'][number]) => boolean,
): Outcome | undefined {
  if (new Set(configs.map(({ name }) => name)).size < configs.length) {
    return refused(ErrorCode.INVALID_REQUEST, 'Error due to duplicate config keys')
  }
  const nulls = configs.filter(config => config.value === null && needsValue(config)).map(({ name }) => name)
  if (nulls.length > 0) return refused(ErrorCode.INVALID_REQUEST, `Null value not supported for : ${nulls.join(', ')}`)
  return undefined
}

/** What the broker has to say of a resource that the controller stores, other than of a broker's. */
export function judgeStored({ resourceType }: AlterableResource): Outcome | undefined {
  const { topic, group, clientMetrics } = ConfigResource
  if (resourceType === topic || resourceType === group || resourceType === clientMetrics) return undefined
  return refused(ErrorCode.INVALID_REQUEST, `Unknown resource type ${resourceType}`)
}

/** undefined: `name` names this broker. */
export function otherBroker({ nodeId }: BrokerPorts, name: string): Outcome | undefined {
  if (!/^[+-]?\d+$/.test(name)) {
    return refused(ErrorCode.INVALID_REQUEST, `Node id must be an integer, but it is: ${name}`)
  }
  if (name === String(nodeId)) return undefined
  return refused(ErrorCode.INVALID_REQUEST, `Unexpected broker id, expected ${nodeId}, but received ${name}`)
}

/** Why these texts cannot be all the configs of this broker (or, without a name, of all brokers). */
export function judgeBroker(
  broker: BrokerPorts,
  resourceName: string,
  texts: ReadonlyMap<string, string>,
): Outcome | undefined {
  const { config, nodeId } = broker
  const whose = resourceName === '' ? 'all brokers' : 'this broker'
  const problem = validateDynamicBroker(texts, whose, config, set =>
    resourceName === ''
      ? config.withDynamic(set, brokerConfigs(broker, String(nodeId)))
      : config.withDynamic(brokerConfigs(broker, ''), set),
  )
  return problem === undefined ? undefined : refused(ErrorCode.INVALID_REQUEST, problem)
}
