/**
 * DescribeConfigs: topics, this broker, what is set for all brokers, and groups and client metrics subscriptions,
 * whether they exist or not. Each resource succeeds or fails by itself; a resource type that nobody knows fails the
 * whole request, as in Kafka.
 */
import type { BrokerConfig } from '../../config/broker-config.ts'
import {
  type DescribedConfig,
  describeBroker,
  describeBrokerDefault,
  describeClientMetrics,
  describeGroup,
  describeTopic,
} from '../../config/describe.ts'
import { ConfigResource, clientMetricsConfigs, groupConfigs, topicConfigs } from '../../metadata/image.ts'
import { type DescribeConfigsRequest, describeConfigs } from '../../protocol/apis/32-describe-configs.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { BROKER_LOGGER, brokerConfigs } from '../config-resources.ts'
import type { BrokerPorts, Handler } from '../context.ts'
import { isValidTopicName } from '../topic-names.ts'

const knownTypes: ReadonlySet<number> = new Set([...Object.values(ConfigResource), BROKER_LOGGER])

type Resource = DescribeConfigsRequest['resources'][number]
type Outcome = readonly DescribedConfig[] | { readonly errorCode: number; readonly errorMessage: string | null }

export const describeConfigsHandler: Handler<DescribeConfigsRequest> = {
  apiKey: describeConfigs.key,

  handle(context, request) {
    if (request.resources.some(({ resourceType }) => !knownTypes.has(resourceType))) {
      return describeConfigsHandler.failure(request, ErrorCode.INVALID_REQUEST)
    }
    const results = request.resources.map(resource => {
      const outcome = describe(context.broker, resource)
      if (!('errorCode' in outcome)) return result(resource, ErrorCode.NONE, null, told(outcome, resource, request))
      return result(resource, outcome.errorCode, outcome.errorMessage, [])
    })
    return { results }
  },

  failure(request, errorCode) {
    return { results: request.resources.map(resource => result(resource, errorCode, null, [])) }
  },
}

function result(
  { resourceType, resourceName }: Resource,
  errorCode: number,
  errorMessage: string | null,
  configs: object[],
) {
  return { errorCode, errorMessage, resourceType, resourceName, configs }
}

function told(configs: readonly DescribedConfig[], { configurationKeys }: Resource, request: DescribeConfigsRequest) {
  const wanted = configurationKeys?.length ? new Set(configurationKeys) : undefined
  return configs
    .filter(config => !wanted || wanted.has(config.name))
    .map(({ name, value, source, readOnly, sensitive, synonyms, type, documentation }) => ({
      name,
      value,
      readOnly,
      configSource: source,
      isSensitive: sensitive,
      synonyms: request.includeSynonyms ? synonyms : [],
      configType: type,
      documentation: request.includeDocumentation && documentation !== '' ? documentation : null,
    }))
}

function invalid(errorMessage: string): Outcome {
  return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage }
}

function describe(broker: BrokerPorts, { resourceType, resourceName }: Resource): Outcome {
  switch (resourceType) {
    case ConfigResource.topic: {
      if (!isValidTopicName(resourceName)) {
        return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, errorMessage: `'${resourceName}' cannot name a topic` }
      }
      const image = broker.image()
      if (!image.topicsByName.has(resourceName)) {
        return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: null }
      }
      return describeTopic(topicConfigs(image, resourceName), currentConfig(broker))
    }
    case ConfigResource.broker:
      if (resourceName === '') return describeBrokerDefault(currentConfig(broker))
      return notThisBroker(broker, resourceName, ' or empty') ?? describeBroker(currentConfig(broker))
    case BROKER_LOGGER:
      if (resourceName === '') return invalid('a broker logger needs a broker id')
      // There are no loggers whose level could be set one by one.
      return notThisBroker(broker, resourceName, '') ?? []
    case ConfigResource.group:
      if (resourceName === '') return invalid('a group needs a name')
      return describeGroup(groupConfigs(broker.image(), resourceName), currentConfig(broker))
    default:
      if (resourceName === '') return invalid('a client metrics subscription needs a name')
      return describeClientMetrics(clientMetricsConfigs(broker.image(), resourceName))
  }
}

function notThisBroker(broker: BrokerPorts, name: string, orElse: string): Outcome | undefined {
  if (!/^[+-]?\d+$/.test(name)) return invalid(`a broker id is an integer, not '${name}'`)
  if (Number(name) !== broker.nodeId) return invalid(`this is broker ${broker.nodeId}${orElse}, not ${name}`)
  return undefined
}

/** The static configs and what the cluster has set over them. */
function currentConfig(broker: BrokerPorts): BrokerConfig {
  return broker.config.withDynamic(brokerConfigs(broker, ''), brokerConfigs(broker, String(broker.nodeId)))
}
