/**
 * IncrementalAlterConfigs (44) and AlterConfigs (33): configs of topics, brokers, groups and client metrics
 * subscriptions, each resource for itself: all of its changes are made, or none.
 *
 * Order of checks as in Kafka: the operation on each key, what the feature for eligible leader replicas forbids, the
 * length of values, then all configs of the resource as they would be, and last whether it exists. Whether a broker
 * listens to a key is for that broker to say, before it hands a request on.
 */
import { validateClientMetricsConfigs } from '../config/client-metrics-config.ts'
import { editConfig } from '../config/edit.ts'
import { validateGroupConfigs } from '../config/group-config.ts'
import { brokerConfigs, topicConfigs } from '../config/table.ts'
import { validateTopicConfigs } from '../config/topic-config.ts'
import { ConfigResource, configKey } from '../metadata/image.ts'
import type { NewRecord } from '../metadata/records.ts'
import type { AlterConfigsRequest, AlterConfigsResponseInput } from '../protocol/apis/33-alter-configs.ts'
import type {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponseInput,
} from '../protocol/apis/44-incremental-alter-configs.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { ApiError, OperationContext, OperationResult } from './operation.ts'
import { MAX_RECORDS_PER_OPERATION } from './operation.ts'
import { topicNameProblem } from './topic-names.ts'

interface Resource {
  readonly resourceType: number
  readonly resourceName: string
}

/** What is to be set (null: unset) of one resource. `left`: unset because the request leaves it out. */
interface Changes {
  readonly altered: ReadonlyMap<string, string | null>
  readonly left: readonly string[]
}

/** What makes the changes of one resource. */
interface Made {
  readonly records: readonly NewRecord[]
  /** Replicas that were eligible under another min.insync.replicas are so no longer; said after all changes. */
  readonly clears: readonly NewRecord[]
}

type Configs = ReadonlyMap<string, string>

const MIN_IN_SYNC = 'min.insync.replicas'
const LONGEST_VALUE = 32_767
const OPERATIONS = ['SET', 'DELETE', 'APPEND', 'SUBTRACT']
const noConfigs: Configs = new Map()

export function incrementalAlterConfigs(
  context: OperationContext,
  request: IncrementalAlterConfigsRequest,
): OperationResult<IncrementalAlterConfigsResponseInput> {
  return alter(context, request, (resource, current) => {
    const altered = new Map<string, string | null>()
    for (const { name, configOperation, value } of resource.configs) {
      const before = current.get(name)
      const edit = editConfig(definitionOf(resource, name), before, configOperation, value)
      if (!edit.ok) {
        const operation = OPERATIONS[configOperation]
        if (operation === undefined) return refusal(ErrorCode.INVALID_REQUEST, `Unknown operation ${configOperation}`)
        const message = `Can't ${operation} to key ${name} because its type is not LIST.`
        return refusal(ErrorCode.INVALID_CONFIG, message)
      }
      if (isChange(resource, before, edit.text)) altered.set(name, edit.text)
    }
    return { altered, left: [] }
  })
}

export function alterConfigs(
  context: OperationContext,
  request: AlterConfigsRequest,
): OperationResult<AlterConfigsResponseInput> {
  return alter(context, request, (resource, current) => {
    const altered = new Map<string, string | null>()
    const named = new Set<string>()
    for (const { name, value } of resource.configs) {
      named.add(name)
      if (isChange(resource, current.get(name), value)) altered.set(name, value)
    }
    return { altered, left: [...current.keys()].filter(name => !named.has(name)) }
  })
}

/** The answer for a request that could not be looked at. */
export function failedAlterations(
  { resources }: { readonly resources: readonly Resource[] },
  errorCode: KafkaErrorCode,
  errorMessage: string,
): AlterConfigsResponseInput {
  const responses = resources.map(({ resourceType, resourceName }) => {
    return { errorCode, errorMessage, resourceType, resourceName }
  })
  return { responses }
}

function refusal(code: KafkaErrorCode, message: string): ApiError {
  return { code, message }
}

/** Only topics and brokers have keys whose lists can be edited. */
function definitionOf({ resourceType }: Resource, name: string) {
  if (resourceType === ConfigResource.topic) return topicConfigs.get(name)
  return resourceType === ConfigResource.broker ? brokerConfigs.get(name) : undefined
}

/** A broker's config is written even if it stays as it is: setting it again makes a broker read it again. */
function isChange({ resourceType }: Resource, before: string | undefined, after: string | null): boolean {
  return (before ?? null) !== after || resourceType === ConfigResource.broker
}

function alter<R extends Resource>(
  context: OperationContext,
  request: { readonly resources: readonly R[]; readonly validateOnly: boolean },
  changesOf: (resource: R, current: Configs) => Changes | ApiError,
): OperationResult<AlterConfigsResponseInput> {
  const { configs } = context.state.image
  const records: NewRecord[] = []
  const responses: AlterConfigsResponseInput['responses'][number][] = []
  const clears: NewRecord[] = []
  const left = () => MAX_RECORDS_PER_OPERATION - records.length - clears.length
  const seen = new Set<string>()
  for (const resource of request.resources) {
    const { resourceType, resourceName } = resource
    const key = configKey(resourceType, resourceName)
    const current = (key === undefined ? undefined : configs.get(key)) ?? noConfigs
    const made =
      key === undefined
        ? refusal(ErrorCode.UNSUPPORTED_VERSION, `Unknown resource type ${resourceType}.`)
        : seen.has(key)
          ? refusal(ErrorCode.INVALID_REQUEST, 'Duplicate resource.')
          : alterOne(context, resource, current, changesOf, left())
    if (key !== undefined) seen.add(key)
    if ('records' in made) {
      records.push(...made.records)
      clears.push(...made.clears)
    }
    const { code, message } = 'records' in made ? { code: ErrorCode.NONE, message: null } : made
    responses.push({ errorCode: code, errorMessage: message, resourceType, resourceName })
  }
  return { records: request.validateOnly ? [] : [...records, ...clears], answer: { responses } }
}

function alterOne<R extends Resource>(
  context: OperationContext,
  resource: R,
  current: Configs,
  changesOf: (resource: R, current: Configs) => Changes | ApiError,
  recordsLeft: number,
): Made | ApiError {
  const changes = changesOf(resource, current)
  if ('code' in changes) return changes
  const all = [...changes.altered, ...changes.left.map((name): [string, null] => [name, null])]
  const after = new Map(current)
  for (const [name, value] of all) {
    const problem = lastingProblem(context, resource, name, value)
    if (problem !== undefined) return problem
    if (value === null) after.delete(name)
    else after.set(name, value)
  }
  const problem = configsProblem(context, resource, after) ?? absence(context, resource)
  if (problem !== undefined) return problem
  const { resourceType, resourceName } = resource
  const records: NewRecord[] = all.map(([name, value]) => {
    return { name: 'ConfigRecord', version: 0, data: { resourceType, resourceName, name, value } }
  })
  const clears = context.elrEnabled && all.some(([name]) => name === MIN_IN_SYNC)
  if (records.length + (clears ? 1 : 0) > recordsLeft) {
    return refusal(ErrorCode.POLICY_VIOLATION, 'Unable to perform excessively large batch operation.')
  }
  if (!clears) return { records, clears: [] }
  const topicName = resourceType === ConfigResource.topic ? resourceName : ''
  return { records, clears: [{ name: 'ClearElrRecord', version: 0, data: { topicName } }] }
}

/** Why one value cannot be, whatever the others are. */
function lastingProblem(
  { elrEnabled }: OperationContext,
  { resourceType, resourceName }: Resource,
  name: string,
  value: string | null,
): ApiError | undefined {
  if (elrEnabled && name === MIN_IN_SYNC && resourceType === ConfigResource.broker) {
    if (resourceName !== '') {
      return refusal(ErrorCode.INVALID_CONFIG, `Broker-level ${MIN_IN_SYNC} cannot be altered while ELR is enabled.`)
    }
    if (value === null) {
      return refusal(ErrorCode.INVALID_CONFIG, `Cluster-level ${MIN_IN_SYNC} cannot be removed while ELR is enabled.`)
    }
  }
  if (value !== null && value.length > LONGEST_VALUE) {
    return refusal(ErrorCode.INVALID_CONFIG, `The value of ${name} is longer than ${LONGEST_VALUE} characters.`)
  }
  return undefined
}

/** Why the resource cannot have these as all its configs. */
function configsProblem(
  { config }: OperationContext,
  { resourceType, resourceName }: Resource,
  after: Configs,
): ApiError | undefined {
  switch (resourceType) {
    case ConfigResource.topic: {
      if (resourceName === '') return refusal(ErrorCode.INVALID_REQUEST, 'Default topic resources are not allowed.')
      const name = topicNameProblem(resourceName)
      if (name !== undefined) return refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, name)
      const problem = validateTopicConfigs(after, config)
      return problem === undefined ? undefined : refusal(ErrorCode.INVALID_CONFIG, problem)
    }
    case ConfigResource.group: {
      if (resourceName === '') return refusal(ErrorCode.INVALID_REQUEST, 'Default group resources are not allowed.')
      const problem = validateGroupConfigs(after, config)
      return problem === undefined ? undefined : refusal(ErrorCode.INVALID_CONFIG, problem)
    }
    case ConfigResource.clientMetrics: {
      if (resourceName === '') return refusal(ErrorCode.INVALID_REQUEST, "Subscription name can't be empty")
      const problem = validateClientMetricsConfigs(after)
      if (problem === undefined) return undefined
      return refusal(problem.of === 'request' ? ErrorCode.INVALID_REQUEST : ErrorCode.INVALID_CONFIG, problem.message)
    }
    default:
      if (resourceName === '' || /^\d+$/.test(resourceName)) return undefined
      return refusal(ErrorCode.INVALID_REQUEST, `A broker id is a number, not '${resourceName}'`)
  }
}

/** Topics and brokers must exist; a group or a subscription begins with its first config. */
function absence({ state }: OperationContext, { resourceType, resourceName }: Resource): ApiError | undefined {
  const { topicsByName, brokers, controllers } = state.image
  if (resourceType === ConfigResource.topic && !topicsByName.has(resourceName)) {
    return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${resourceName}' does not exist.`)
  }
  const id = Number(resourceName)
  if (resourceType === ConfigResource.broker && resourceName !== '' && !brokers.has(id) && !controllers.has(id)) {
    return refusal(ErrorCode.BROKER_ID_NOT_REGISTERED, `No node with id ${resourceName} found.`)
  }
  return undefined
}
