/**
 * ListConfigResources: every topic, every broker that serves (as itself and as its loggers), and the groups and
 * client metrics subscriptions that have configs. Version 0 knows subscriptions alone. A type that nobody knows
 * fails the whole request.
 */
import { ConfigResource, configResource, type MetadataImage } from '../../metadata/image.ts'
import {
  type ListConfigResourcesRequest,
  type ListConfigResourcesResponseInput,
  listConfigResources,
} from '../../protocol/apis/74-list-config-resources.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { BROKER_LOGGER } from '../config-resources.ts'
import type { Handler } from '../context.ts'

const { topic, broker, clientMetrics, group } = ConfigResource
const allTypes: readonly number[] = [group, clientMetrics, BROKER_LOGGER, broker, topic]

export const listConfigResourcesHandler: Handler<ListConfigResourcesRequest> = {
  apiKey: listConfigResources.key,

  handle(context, request): ListConfigResourcesResponseInput {
    const known = context.version === 0 ? [clientMetrics] : allTypes
    const wanted = new Set(request.resourceTypes.length === 0 ? known : request.resourceTypes)
    if ([...wanted].some(type => !known.includes(type))) {
      return { errorCode: ErrorCode.UNSUPPORTED_VERSION, configResources: [] }
    }
    const image = context.broker.image()
    const configResources = known
      .filter(type => wanted.has(type))
      .flatMap(resourceType => namesOf(image, resourceType).map(resourceName => ({ resourceName, resourceType })))
    return { errorCode: ErrorCode.NONE, configResources }
  },

  failure: (_request, errorCode): ListConfigResourcesResponseInput => ({ errorCode, configResources: [] }),
}

function namesOf(image: MetadataImage, resourceType: number): string[] {
  if (resourceType === topic) return [...image.topicsByName.keys()]
  if (resourceType === broker || resourceType === BROKER_LOGGER) {
    return [...image.brokers.values()].filter(({ fenced }) => !fenced).map(({ id }) => String(id))
  }
  return [...image.configs.keys()]
    .map(configResource)
    .filter(each => each.resourceType === resourceType)
    .map(each => each.resourceName)
}
