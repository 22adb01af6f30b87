/**
 * IncrementalAlterConfigs: sets, unsets and edits single configs. This broker judges the configs of brokers, the
 * controller the others. There are no loggers whose level could be set one by one, so that each is unknown.
 */
import { effectiveDynamic } from '../../config/dynamic-broker.ts'
import { ConfigOperation, editConfig } from '../../config/edit.ts'
import { brokerConfigs as brokerDefinitions } from '../../config/table.ts'
import { ConfigResource } from '../../metadata/image.ts'
import {
  type IncrementalAlterConfigsRequest,
  incrementalAlterConfigs,
} from '../../protocol/apis/44-incremental-alter-configs.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import {
  alterConfigResources,
  done,
  failedAlterations,
  type Judge,
  judgeBroker,
  judgeStored,
  type Outcome,
  otherBroker,
  refused,
} from '../alter-configs.ts'
import { BROKER_LOGGER, brokerConfigs } from '../config-resources.ts'
import type { BrokerPorts, Handler } from '../context.ts'

type Resource = IncrementalAlterConfigsRequest['resources'][number]

const judge: Judge<Resource> = (broker, resource) => {
  const { resourceType, resourceName } = resource
  if (resourceType === BROKER_LOGGER) return otherBroker(broker, resourceName) ?? judgeLoggers(resource)
  if (resourceType !== ConfigResource.broker) return judgeStored(resource)
  const other = resourceName === '' ? undefined : otherBroker(broker, resourceName)
  return other ?? judgeOperations(broker, resource)
}

function judgeLoggers({ configs }: Resource): Outcome {
  for (const { name, configOperation } of configs) {
    if (configOperation === ConfigOperation.set || configOperation === ConfigOperation.delete) {
      return refused(ErrorCode.INVALID_CONFIG, `Logger ${name} does not exist!`)
    }
    const operation = { 2: 'APPEND', 3: 'SUBTRACT' }[configOperation] ?? `Unknown operation type ${configOperation}`
    const message = `${operation} operation is not allowed for the BROKER_LOGGER resource`
    return refused(ErrorCode.INVALID_REQUEST, message)
  }
  return done
}

function judgeOperations(broker: BrokerPorts, { resourceName, configs }: Resource): Outcome | undefined {
  const texts = effectiveDynamic(brokerConfigs(broker, resourceName))
  for (const { name, configOperation, value } of configs) {
    const definition = brokerDefinitions.get(name)
    const edit = editConfig(definition, texts.get(name), configOperation, value)
    if (edit.ok) {
      if (edit.text === null) texts.delete(name)
      else texts.set(name, edit.text)
    } else if (edit.why === 'unknown operation') {
      return refused(ErrorCode.INVALID_REQUEST, `Unknown operations type ${configOperation}`)
    } else if (definition === undefined) {
      return refused(ErrorCode.INVALID_CONFIG, `Unknown config name: ${name}`)
    } else {
      const what = configOperation === ConfigOperation.append ? 'append' : 'subtract'
      return refused(ErrorCode.INVALID_CONFIG, `Config value ${what} is not allowed for config key: ${name}`)
    }
  }
  return judgeBroker(broker, resourceName, texts)
}

export const incrementalAlterConfigsHandler: Handler<IncrementalAlterConfigsRequest> = {
  apiKey: incrementalAlterConfigs.key,
  handle: (context, request) =>
    alterConfigResources(context, request, config => config.configOperation !== ConfigOperation.delete, judge),
  failure: failedAlterations,
}
